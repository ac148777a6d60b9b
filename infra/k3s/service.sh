# shellcheck shell=bash
# restart_if_changed: lets k3s run with what is installed, and waits until it does. Part of k3s.sh.
# Variables: WAIT_S (seconds until it must run), REFUSED_S (seconds after which a cluster that refuses the host is
# believed), STABLE_S (seconds without a restart that count as running).

# restart_if_changed: the record is written only after the service came up, so an interrupted run restarts again.
restart_if_changed() {
  local running registries
  registries=$(sum_of "$REGISTRIES_FILE")$(sum_of "$REGISTRY_CA_FILE")
  running="$BINARY_SHA256 $(sum_of "$CONFIG_FILE")$IMAGES $registries"
  if [ "$(state_get k3s running)" = "$running" ] && systemctl is-active --quiet "$UNIT"; then
    return
  fi
  systemctl enable --quiet "$UNIT" >/dev/null 2>&1 || true
  STARTED=$(date +%s) BEGUN=$SECONDS
  # A server that waits for its peers would hold a blocking restart for ever.
  systemctl restart --no-block "$UNIT"
  sleep 1
  wait_until_running
  record running "$running"
}

wait_until_running() {
  local deadline=$((SECONDS + WAIT_S)) refused_since='' restarts
  while ((SECONDS < deadline)); do
    if is_running; then
      # A service that falls over and over again looks active in between.
      restarts=$(systemctl show --property=NRestarts --value "$UNIT")
      sleep "$STABLE_S"
      if is_running && [ "$(systemctl show --property=NRestarts --value "$UNIT")" = "$restarts" ]; then return; fi
    elif is_refused "$(journal 40)"; then
      # For some seconds a cluster still knows the host that had this name before.
      refused_since=${refused_since:-$SECONDS}
      if ((SECONDS - refused_since >= REFUSED_S)); then not_running; fi
    else
      refused_since=''
    fi
    sleep 1
  done
  not_running
}

is_running() {
  systemctl is-active --quiet "$UNIT" || return 1
  if [ "$ROLE" = server ]; then "$K3S" kubectl get --raw=/readyz --request-timeout=5s >/dev/null 2>&1; fi
}

journal() {
  journalctl --unit "$UNIT" --since "@$STARTED" --lines "$1" --no-pager --output cat 2>/dev/null || true
}

# is_refused <journal>: does the cluster not take this host? Sets REFUSAL and REMEDY. k3s itself tries again for ever.
is_refused() {
  REMEDY="another card had this name before: on the first server run sudo k3s kubectl delete node $HOST; then run make up again"
  case $1 in
    *"duplicate node name found"*) REFUSAL="the cluster has a server $HOST already" ;;
    # k3s says so of every refusal that is none of the token: another password, or another role of the same name.
    *"ode password rejected"*) REFUSAL="the cluster knows another host by the name $HOST" ;;
    *"not authorized"* | *"CA hash does not match"*)
      REFUSAL="the cluster does not accept this host's token"
      REMEDY="was the first server made anew? Take $HOST out of piray:hosts, run make up, add it and run make up again" ;;
    *) REFUSAL=''; return 1 ;;
  esac
}

not_running() {
  local lines what="$UNIT does not run after $((SECONDS - BEGUN)) s"
  lines=$(journal 15)
  if is_refused "$(journal 40)"; then what+=": $REFUSAL"; else REMEDY="see: sudo journalctl -u $UNIT; then run make up again"; fi
  printf '%s\n' "$lines" | without_tokens >&2
  fail "$what" "the last lines of its journal are above" "$REMEDY"
}

# without_tokens: standard input with every token of config.yaml blotted out.
without_tokens() {
  local text value
  text=$(cat)
  while IFS= read -r value; do
    if [ -n "$value" ]; then text=${text//"$value"/***}; fi
    # The part that is the same in the long form of the token, K10<sum>::<user>:<password>.
    value=${value##*:}
    if [ -n "$value" ]; then text=${text//"$value"/***}; fi
  done < <(sed -n 's/^\(token\|agent-token\): "\{0,1\}\([^"]*\)"\{0,1\}$/\2/p' "$CONFIG_FILE" 2>/dev/null)
  printf '%s\n' "$text"
}
