# shellcheck shell=bash
# A Ray head and workers on this machine, all on the loopback interface.
#   apply  starts what is missing, stops what is too much, leaves the rest alone; prints JSON
#   undo   stops exactly what apply started, also when it is half dead, and removes its files
#   generation  prints a number that grows by one while a node on record is dead
# Reads STACK, and for apply TOKEN, GENERATION, RAY_VERSION, WORKERS, HEAD_CPUS and WORKER_CPUS. The directory it runs in may hold .venv.
# Files are in DIR (0700): ports, temp, and for each node nodes/<name> with its process and what it was started with.

umask 077
DIR=${XDG_STATE_HOME:-$HOME/.local/state}/piray/$STACK
# On a cold SD card or a busy machine Ray's Python processes take tens of seconds to be imported.
START_TIMEOUT_S=180
STOP_TIMEOUT_S=15
# The results of a few jobs fit; the default would be 30 % of the machine's memory for every node.
OBJECT_STORE_BYTES=$((256 * 1024 * 1024))

# Starts one node as a session of its own, so that no signal to the caller's group reaches it, with no file of the
# caller open. Only what a job may see is in its environment: the caller's may hold a passphrase or a cloud key.
# Ray replaces 127.0.0.1 by the machine's address on the LAN, and then listens on all interfaces, unless
# RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0; with it `ray start --address` refuses. Only that refusal is lifted here
# (ray/scripts/scripts.py and ray/_private/services.py of 2.60.0). Each node gets a directory of its own for the files of
# jobs: in a common one a node that fetches them deletes those that another one is working in.
# shellcheck disable=SC2016
START_NODE='
import os, subprocess, sys
RAY = """
import os, sys, types
from ray._private import ray_constants
ray_constants.DEFAULT_RUNTIME_ENV_DIR_NAME += "_" + os.environ["PIRAY_POD_NAME"]
from ray.scripts import scripts
scripts.ray_constants = types.SimpleNamespace(**{**vars(ray_constants), "ENABLE_RAY_CLUSTER": True})
sys.exit(scripts.main())
"""
KEPT = {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TZ", "USER", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
KEPT |= {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
ADDED = ("PIRAY_", "RAY_AUTH_", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "NUMBA_", "OMP_", "OPENBLAS_")
environment = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith(ADDED)}
environment["PATH"] = os.path.dirname(sys.executable) + os.pathsep + environment.get("PATH", os.defpath)
log, directory, *arguments = sys.argv[1:]
with open(log, "wb") as output:
    node = subprocess.Popen([sys.executable, "-c", RAY, "start", *arguments], env=environment, cwd=directory,
        stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
print(node.pid)
'

# Prints "<name> <start>" for every node that the cluster believes alive; fails while the dashboard does not answer.
LIST_NODES='
import json, os, sys, urllib.request
url = f"http://127.0.0.1:{sys.argv[1]}/api/v0/nodes?detail=true&limit=10000"
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + os.environ["RAY_AUTH_TOKEN"]})
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    nodes = json.load(direct.open(request, timeout=10))["data"]["result"]["result"]
except (OSError, ValueError, KeyError, TypeError):
    sys.exit(1)
for node in nodes:
    if node["state"] == "ALIVE" and "piray/node" in node["labels"]:
        print(node["labels"]["piray/node"], node["labels"]["piray/start"])
'

# Prints one port for each argument: the wanted one if it is free, else any free one.
FREE_PORTS='
import socket, sys
held = []
for wanted in map(int, sys.argv[1:]):
    port = socket.socket()
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        port.bind(("127.0.0.1", wanted))
    except OSError:
        port.bind(("127.0.0.1", 0))
    held.append(port)
print(*(port.getsockname()[1] for port in held))
'

# value <file> <key>: value of a `key=value` line, empty when there is none.
value() {
  [ -r "$1" ] || return 0
  sed -n "s/^$2=//p" "$1" | head -n 1
}

# node_names: every node on record.
node_names() {
  local file
  for file in "$DIR"/nodes/*; do
    if [ -e "$file" ]; then basename "$file"; fi
  done
}

# started_at <pid>: what no other process with this number has; empty when it has ended (a zombie has).
started_at() {
  local stat
  if [ -r /proc/self/stat ]; then
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    # The name of the program stands in brackets and may hold blanks.
    read -ra stat <<<"${stat##*) }"
    if [ "${stat[0]}" != Z ]; then echo "$(</proc/sys/kernel/random/boot_id) ${stat[19]}"; fi
  else
    ps -o state=,lstart= -p "$1" | awk '$1 !~ /^Z/ { $1 = ""; print }' || true
  fi
}

# running <name>: is the process on record still that process?
running() {
  local pid
  pid=$(value "$DIR/nodes/$1" pid)
  [ -n "$pid" ] && [ "$(started_at "$pid")" = "$(value "$DIR/nodes/$1" started)" ]
}

# family <pid>: the process, its descendants (a job's program has a session of its own), and its process group.
# A group outlives its leader: Ray's agents linger when a node is killed.
family() {
  ps -A -o pid= -o ppid= -o pgid= | awk -v root="$1" '
    { parent[$1] = $2; if ($3 == root) found[$1] = 1 }
    END {
      do {
        more = 0
        for (pid in parent) if (!(pid in found) && parent[pid] in found) { found[pid] = 1; more = 1 }
      } while (more)
      for (pid in found) print pid
    }'
}

# group_is_ours <pid> <record>: the leader is the process on record, or has ended and its number is not in use again.
group_is_ours() {
  local now
  now=$(started_at "$1")
  if [ -r /proc/sys/kernel/random/boot_id ]; then
    [ "$(value "$2" started | cut -d' ' -f1)" = "$(cat /proc/sys/kernel/random/boot_id)" ] || return 1
  fi
  [ -z "$now" ] || [ "$now" = "$(value "$2" started)" ]
}

# any_alive <pid started>...: does one of the processes still run?
any_alive() {
  local process
  for process in "$@"; do
    [ "$(started_at "${process%% *}")" = "${process#* }" ] && return 0
  done
  return 1
}

signal_alive() {
  local signal=$1 process
  shift
  for process in "$@"; do
    if [ "$(started_at "${process%% *}")" = "${process#* }" ]; then
      kill -"$signal" "${process%% *}" 2>/dev/null || true
    fi
  done
}

# stop_nodes <name>...: asks, waits, then kills; forgets the nodes when nothing of them is left.
stop_nodes() {
  local name record pid member started deadline
  local -a processes=() asked=() lost=()
  for name in "$@"; do
    record=$DIR/nodes/$name
    pid=$(value "$record" pid)
    if [ -z "$pid" ] || ! group_is_ours "$pid" "$record"; then continue; fi
    for member in $(family "$pid"); do
      started=$(started_at "$member")
      if [ -z "$started" ]; then continue; fi
      processes+=("$member $started")
      # A whole node ends with its leader, in order. What has lost its leader may ignore all but SIGKILL.
      if [ "$member" = "$pid" ]; then
        asked+=("$member $started")
      elif ! running "$name"; then
        lost+=("$member $started")
      fi
    done
  done
  if ((${#processes[@]} > 0)); then
    if ((${#lost[@]} > 0)); then signal_alive KILL "${lost[@]}"; fi
    if ((${#asked[@]} > 0)); then signal_alive TERM "${asked[@]}"; fi
    deadline=$((SECONDS + STOP_TIMEOUT_S))
    while any_alive "${processes[@]}" && ((SECONDS < deadline)); do sleep 0.2; done
    signal_alive KILL "${processes[@]}"
    deadline=$((SECONDS + STOP_TIMEOUT_S))
    while any_alive "${processes[@]}"; do
      if ((SECONDS >= deadline)); then
        fail "a Ray process cannot be ended" "it ignores SIGKILL, so it hangs in the kernel" "restart this machine"
      fi
      sleep 0.2
    done
  fi
  for name in "$@"; do rm -f "$DIR/nodes/$name"; done
}

# find_python: the interpreter beside the `ray` that this project or PATH has, with the right Ray in it.
find_python() {
  local ray=$PWD/.venv/bin/ray version
  [ -x "$ray" ] || ray=$(command -v ray || true)
  if [ -z "$ray" ]; then
    fail "no Ray" "there is neither .venv/bin/ray in $PWD nor ray on PATH" "run \`make up STACK=$STACK\`, which installs it"
  fi
  PYTHON=$(dirname "$ray")/python
  version=$("$PYTHON" -c 'import importlib.metadata as m; print(m.version("ray"))' 2>/dev/null || true)
  if [ "$version" != "$RAY_VERSION" ]; then
    fail "$ray is Ray ${version:-of unknown version}" "the stack wants exactly $RAY_VERSION" \
      "install ray[default]==$RAY_VERSION there, or set piray:ray.version"
  fi
}

choose_ports() {
  local gcs dashboard client file=$DIR/ports
  gcs=$(value "$file" gcs) dashboard=$(value "$file" dashboard) client=$(value "$file" client)
  read -r gcs dashboard client < <("$PYTHON" -c "$FREE_PORTS" "${gcs:-0}" "${dashboard:-8265}" "${client:-0}")
  printf 'gcs=%s\ndashboard=%s\nclient=%s\n' "$gcs" "$dashboard" "$client" >"$file"
}

# wanted_as <name>: everything that a node has to be started again for.
wanted_as() {
  local cpus=$WORKER_CPUS
  if [ "$1" = head ]; then cpus=$HEAD_CPUS; fi
  printf '%s cpus, ray %s, token %s' "$cpus" "$RAY_VERSION" "$(printf %s "$TOKEN" | cksum)"
}

start_node() {
  local name=$1 start pid gcs arguments
  start=$(date +%s)-$RANDOM
  gcs=$(value "$DIR/ports" gcs)
  arguments=(--node-ip-address=127.0.0.1 --dashboard-agent-listen-port=0 --min-worker-port=0 --max-worker-port=0
    --object-store-memory="$OBJECT_STORE_BYTES" --temp-dir="$(cat "$DIR/temp")" --disable-usage-stats
    --labels="piray/node=$name,piray/start=$start" --block)
  if [ "$name" = head ]; then
    arguments+=(--head --port="$gcs" --num-cpus="$HEAD_CPUS" --dashboard-host=127.0.0.1
      --dashboard-port="$(value "$DIR/ports" dashboard)" --ray-client-server-port="$(value "$DIR/ports" client)")
  else
    arguments+=(--address="127.0.0.1:$gcs" --num-cpus="$WORKER_CPUS")
  fi
  pid=$(PIRAY_NODE_NAME=$(uname -n) PIRAY_POD_NAME=$name \
    "$PYTHON" -c "$START_NODE" "$DIR/logs/$name.log" "$DIR/work" "${arguments[@]}")
  printf 'pid=%s\nstarted=%s\nstart=%s\nas=%s\n' "$pid" "$(started_at "$pid")" "$start" "$(wanted_as "$name")" \
    >"$DIR/nodes/$name"
}

alive_nodes() {
  "$PYTHON" -c "$LIST_NODES" "$(value "$DIR/ports" dashboard)"
}

# give_up <name>: ends the script with the end of the node's log; what was not there before is taken away again.
give_up() {
  local last
  last=$(tail -n 5 "$DIR/logs/$1.log" 2>/dev/null | tr -s '\n' ' ' || true)
  if ((FRESH)); then undo; fi
  fail "Ray's $1 did not start" "its log ends with: $last" \
    "close programs that need much memory or CPU, then run \`pulumi up\` again"
}

# was_slow <name>: whether a node that has ended had too little time. Ray gives it 30 s to register and then gives up
# (raylet_start_wait_time_s in ray/_private/node.py); on a busy machine that is not enough.
was_slow() {
  tail -n 20 "$DIR/logs/$1.log" 2>/dev/null | grep -q 'timed out during startup'
}

# await <name>...: waits until the cluster counts exactly these nodes. A node that dies meanwhile is started once more,
# and one that was slow as long as there is time.
await() {
  local deadline=$((SECONDS + START_TIMEOUT_S)) wanted alive='' name retried=' '
  while :; do
    wanted=$(for name in "$@"; do echo "$name $(value "$DIR/nodes/$name" start)"; done | sort)
    if alive=$(alive_nodes) && [ "$(sort <<<"$alive")" = "$wanted" ]; then return; fi
    for name in "$@"; do
      if running "$name"; then continue; fi
      # With a head that ends the workers have nothing to go on with.
      if [[ $name == head ]] && { (($# > 1)) || ! was_slow head; }; then give_up head; fi
      if [[ $retried == *" $name "* ]] && { ((SECONDS >= deadline)) || ! was_slow "$name"; }; then give_up "$name"; fi
      retried+="$name "
      stop_nodes "$name"
      start_node "$name"
    done
    if ((SECONDS >= deadline)); then
      for name in "$@"; do
        if ! grep -qx "$name $(value "$DIR/nodes/$name" start)" <<<"$alive"; then give_up "$name"; fi
      done
      fail "a stopped worker is still counted" "the head does not notice it" "run \`pulumi up\` again"
    fi
    sleep 0.5
  done
}

# unfit_nodes <alive>: nodes on record that are too many, have ended, or were started with other settings.
unfit_nodes() {
  local name
  for name in $(node_names); do
    if [ "$name" != head ] && ((${name#worker-} > WORKERS)); then
      echo "$name"
    elif [ "$(value "$DIR/nodes/$name" as)" != "$(wanted_as "$name")" ] || ! running "$name" ||
      ! grep -qx "$name $(value "$DIR/nodes/$name" start)" <<<"$1"; then
      echo "$name"
    fi
  done
}

# settled_nodes: nodes that the cluster counts, given time to answer if its head runs.
settled_nodes() {
  local deadline=$((SECONDS + 30))
  while running head; do
    if alive_nodes; then return; fi
    if ((SECONDS >= deadline)); then return; fi
    sleep 0.5
  done
}

apply() {
  local i name unfit
  local -a names=(head)
  find_python
  FRESH=1
  if [ -e "$DIR/nodes/head" ]; then FRESH=0; fi
  mkdir -p "$DIR/nodes" "$DIR/logs" "$DIR/work"
  # The path of a socket holds at most 107 bytes, of which Ray takes 70: a home directory is too long.
  if [ ! -d "$(cat "$DIR/temp" 2>/dev/null)" ]; then mktemp -d /tmp/piray-XXXXXX >"$DIR/temp"; fi
  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN=$TOKEN RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0
  export NUMBA_NUM_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 NUMBA_CACHE_DIR=$DIR/work/numba

  unfit=$(unfit_nodes "$(settled_nodes)")
  # All that a cluster knows is in its head: without it the workers have nothing to go on with.
  if [ ! -e "$DIR/nodes/head" ] || grep -qx head <<<"$unfit"; then unfit=$(node_names); fi
  # shellcheck disable=SC2086
  if [ -n "$unfit" ]; then stop_nodes $unfit; fi
  if [ ! -e "$DIR/nodes/head" ]; then
    choose_ports
    start_node head
    await head
  fi
  for ((i = 1; i <= WORKERS; i++)); do
    name=worker-$i
    names+=("$name")
    if [ ! -e "$DIR/nodes/$name" ]; then start_node "$name"; fi
  done
  await "${names[@]}"
  printf '%s\n' "$GENERATION" >"$DIR/generation"
  printf '{"dashboardUrl": "http://127.0.0.1:%s"}\n' "$(value "$DIR/ports" dashboard)"
}

undo() {
  local temp
  # shellcheck disable=SC2046
  stop_nodes $(node_names)
  temp=$(cat "$DIR/temp" 2>/dev/null || true)
  case $temp in /tmp/piray-??????) rm -rf "$temp" ;; esac
  rm -rf "$DIR"
}

generation() {
  local name known
  known=$(cat "$DIR/generation" 2>/dev/null || echo 0)
  for name in $(node_names); do
    if ! running "$name"; then known=$((known + 1)) && break; fi
  done
  printf '%s\n' "$known"
}

main() {
  case ${1-} in
    apply | undo | generation) "$1" ;;
    *) fail "unknown action ${1-}" "it must be apply, undo or generation" "give one of them" ;;
  esac
}
