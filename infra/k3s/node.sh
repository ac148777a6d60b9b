# shellcheck shell=bash
# Runs on the first server, for the Node of a host.
# apply: waits until the Node is Ready at its address. undo, for the others: moves its pods away and deletes the Node.
# Variables: HOST (the first server, for messages), NODE, ADDRESS, WAIT_S, MISMATCH_S (seconds that another address is
# borne: a host that moved reports its new one after a while), DRAIN_S and DELETE_S (seconds for the pods to leave, and
# for the Node to go).

KUBECTL=("$ROOT/usr/local/bin/k3s" kubectl --request-timeout=15s)

apply() {
  local deadline=$((SECONDS + WAIT_S)) mismatch_since='' answer='' actual ready
  while ((SECONDS < deadline)); do
    if answer=$("${KUBECTL[@]}" get node "$NODE" --output \
      'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}{"\n"}{.status.conditions[?(@.type=="Ready")].status}' 2>&1); then
      actual=${answer%%$'\n'*}
      ready=${answer##*$'\n'}
      if [ "$ready" = True ] && [[ " $actual " == *" $ADDRESS "* ]]; then
        printf '{"node":%s,"address":%s}\n' "$(json_string "$NODE")" "$(json_string "$ADDRESS")"
        return
      fi
      if [ "$ready" = True ]; then
        mismatch_since=${mismatch_since:-$SECONDS}
        if ((SECONDS - mismatch_since >= MISMATCH_S)); then
          fail "the Node $NODE is at $actual, not at $ADDRESS" "a Node's name belongs to one host" \
            "give one of the two hosts another name in piray:hosts, or delete the old Node: sudo k3s kubectl delete node $NODE"
        fi
      fi
    fi
    sleep 1
  done
  fail "the Node $NODE is not Ready after $WAIT_S s (${answer//$'\n'/, Ready: })" "a host that joined must become Ready" \
    "see: sudo k3s kubectl describe node $NODE; on $NODE: sudo journalctl -u k3s-agent -u k3s"
}

undo() {
  [ -x "${KUBECTL[0]}" ] || return 0
  local tries
  for tries in 1 2 3 4 5; do
    if "${KUBECTL[@]}" get --raw=/readyz >/dev/null 2>&1; then break; fi
    if ((tries == 5)); then
      note "the API server does not answer: the Node $NODE is left to the end of its cluster"
      return 0
    fi
    sleep 2
  done
  if [ -z "$("${KUBECTL[@]}" get node "$NODE" --ignore-not-found --output name)" ]; then return 0; fi
  # Best effort, in bounded time: the pods of a last node have nowhere to go, and a dead host answers nobody.
  "${KUBECTL[@]}" cordon "$NODE" >&2 || true
  timeout --kill-after=10 "$((DRAIN_S + 30))" "$ROOT/usr/local/bin/k3s" kubectl drain "$NODE" --ignore-daemonsets \
    --delete-emptydir-data --force --timeout="${DRAIN_S}s" >&2 || note "not every pod left $NODE within $DRAIN_S s"
  # With the Node k3s deletes the secret of its password and takes an etcd member out. The host's k3s would start
  # anew and join again within a minute: the uninstall follows at once. The server that takes members out may be the
  # one that is removed: then another one waits out its lease of 45 s first.
  if ! "$ROOT/usr/local/bin/k3s" kubectl delete node "$NODE" --ignore-not-found --timeout="${DELETE_S}s" >&2 && is_there; then
    fail "the Node $NODE could not be deleted in $DELETE_S s" "a host's name stays taken while its Node exists" \
      "run on $HOST: sudo k3s kubectl delete node $NODE"
  fi
}

# is_there: is the Node still known? Without an answer it is taken to be.
is_there() {
  local answer
  answer=$("${KUBECTL[@]}" get node "$NODE" --ignore-not-found --output name 2>/dev/null) || return 0
  [ -n "$answer" ]
}

main() {
  "$1"
}
