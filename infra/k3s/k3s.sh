# shellcheck shell=bash
# apply: installs or updates k3s as CONFIG says and waits until it runs. undo: removes it (remove_k3s.sh).
# Variables: HOST, ROLE (server or agent), VERSION, BINARY_NAME, BINARY_URL, SUMS_URL, those of images.sh,
# those of registries.sh, INSTALL_SCRIPT_URL, INSTALL_SCRIPT_SHA256, CONFIG (text of config.yaml; secret where it holds a
# token), MAKE_TOKENS (1 on the first server, which makes the cluster's tokens itself), those of service.sh.
# Standard output: one line of JSON without secrets, the same until something changes.

BIN=$ROOT/usr/local/bin
K3S=$BIN/k3s
DOWNLOAD=$BIN/.k3s.piray-download
CONFIG_FILE=$ROOT/etc/rancher/k3s/config.yaml
SERVER_DIR=$ROOT/var/lib/rancher/k3s/server
ROOM_BIN_MIB=200
ROOM_DATA_MIB=1024

check_host() {
  local unit owner
  if [ -z "$(state_get k3s role)" ]; then
    for unit in k3s k3s-agent; do
      if [ -e "$ROOT/etc/systemd/system/$unit.service" ]; then
        problem "k3s is installed already ($unit.service), and not by this program" \
          "make down would remove it, so piray does not take it over" \
          "run: sudo $unit-uninstall.sh; then run make up again"
      fi
    done
    check_data_directory
    check_join_clock
  else
    owner=$(state_get k3s role)
    if [ "$owner" != "$ROLE" ]; then
      problem "it is installed as $owner" "a host has one role" \
        "take the host out of piray:hosts, run make up, add it to piray:hosts and run make up again"
    fi
    check_downgrade "$(state_get k3s version)"
  fi
  check_registries
  has curl || problem "curl is missing" "the k3s download needs it" "run: sudo apt-get install --yes curl"
}

# check_join_clock: before a host joins. It may have restarted since its other checks, and a Pi without a clock chip then
# starts with the time of its last shutdown.
check_join_clock() {
  local server
  server=$(sed -n "s|^server: [\"']\{0,1\}https://\(.*\):6443[\"']\{0,1\}\$|\1|p" <<<"$CONFIG")
  [ -n "$server" ] && has curl || return 0
  if clock_differs "$(time_of_server "$server")" "the server $server"; then
    problem "$CLOCK_WHAT" "$CLOCK_RULE" "$CLOCK_REMEDY; then run make up again"
  fi
}

# check_data_directory: before the first install. It may be a link, or a mount of its own: an SSD.
check_data_directory() {
  local path
  for path in "$ROOT/var/lib/rancher" "$K3S_DATA"; do
    if [ -L "$path" ] && [ ! -d "$path" ]; then
      problem "${path#"$ROOT"} is a link to $(readlink "$path"), which is not there" "k3s keeps its data there" \
        "mount the disk, or remove the link; then run make up again"
      return
    fi
  done
  # Its key is unknown: k3s would not start on it. A reflashed card with an old SSD has such data.
  if [ -e "$SERVER_DIR/db" ]; then
    problem "${SERVER_DIR#"$ROOT"} has the database of an earlier k3s" "a new cluster starts empty" \
      "if nobody needs it: sudo rm -rf ${SERVER_DIR#"$ROOT"}; then run make up again"
  fi
  check_room "$K3S_DATA" "$ROOM_DATA_MIB"
}

# check_downgrade <installed version>: https://docs.k3s.io/upgrades/roll-back
check_downgrade() {
  local old new
  old=$(minor_of "$1")
  new=$(minor_of "$VERSION")
  if [ -n "$old" ] && [ "$old" != "$new" ] && [ "$(printf '%s\n' "$old" "$new" | sort -V | head -n 1)" = "$new" ]; then
    problem "k3s $1 is installed, and piray:k3s.version is $VERSION" "Kubernetes does not go back to an older minor version" \
      "set piray:k3s.version to $1 or newer"
  fi
}

minor_of() {
  sed -n 's/^v\([0-9]*\.[0-9]*\)\..*/\1/p' <<<"$1"
}

# check_room <directory> <MiB>
check_room() {
  local directory=$1 free
  while [ ! -d "$directory" ]; do directory=$(dirname "$directory"); done
  free=$(df -Pk "$directory" | awk 'NR == 2 { print int($4 / 1024) }')
  if ((free < $2)); then
    problem "${directory#"$ROOT"} has $free MiB free" "k3s needs $2 MiB there" "make room (sudo apt-get clean), or use a larger card"
  fi
}

# record <key> <value>: our own state, a `key=value` a line.
record() {
  local old=''
  if [ -n "$2" ] && [ "$(state_get k3s "$1")" = "$2" ]; then return; fi
  mkdir -p "$STATE"
  if [ -e "$STATE/k3s" ]; then old=$(grep -v "^$1=" "$STATE/k3s" || true); fi
  printf '%s' "${old:+$old$'\n'}$1=$2"$'\n' | write_file "$STATE/k3s" 600
}

# fetch <url> <file> <what it is>
fetch() {
  fetch_if_there "$@" || fail "cannot download $1 ($ANSWER)" "it is $3" \
    "check piray:k3s.version and piray:k3s.mirror"
}

# fetch_if_there <url> <file> <what it is>: fails without a word, the answer in ANSWER, where the server has no such file.
fetch_if_there() {
  # An interrupted or stalled download ends as an error; nothing but the whole file is used.
  if ANSWER=$(curl --fail --location --silent --show-error --proto '=http,https' --retry 5 --retry-delay 2 \
    --retry-connrefused --connect-timeout 20 --speed-limit 1024 --speed-time 60 --output "$2" "$1" 2>&1); then
    return
  fi
  rm -f "$2"
  ANSWER=${ANSWER##*$'\n'}
  if [[ $ANSWER =~ error:\ 40[34] ]]; then return 1; fi
  fail "cannot download $1 ($ANSWER)" "it is $3" \
    "check the network and the proxy in /etc/environment, or piray:k3s.version and piray:k3s.mirror"
}

# install_binary: the binary of VERSION, checked against the release's sum file; sets BINARY_SHA256.
install_binary() {
  local wanted got
  BINARY_SHA256=$(sum_of "$K3S")
  if [ -n "$BINARY_SHA256" ] && [ "$(state_get k3s version)" = "$VERSION" ] &&
    [ "$(state_get k3s sha256)" = "$BINARY_SHA256" ]; then
    return
  fi
  fetch "$SUMS_URL" "$WORK/sums" "the list of sums of k3s $VERSION"
  wanted=$(listed_sum "$WORK/sums" "$BINARY_NAME")
  if [ -z "$wanted" ]; then
    fail "$SUMS_URL has no sum for $BINARY_NAME" "a binary is installed only when its sum is known" \
      "check piray:k3s.version and piray:k3s.mirror"
  fi
  if [ "$BINARY_SHA256" != "$wanted" ]; then
    check_room "$BIN" "$ROOM_BIN_MIB"
    refuse_problems
    # Beside its target, so that the last step is a rename; a fixed name, so that an interrupted one is overwritten.
    fetch "$BINARY_URL" "$DOWNLOAD" "the binary of k3s $VERSION"
    got=$(sum_of "$DOWNLOAD")
    if [ "$got" != "$wanted" ]; then
      rm -f "$DOWNLOAD"
      fail "$BINARY_URL has the SHA-256 $got" "the release's sum file says $wanted" \
        "repair the mirror, or run it again; nothing was replaced"
    fi
    chmod 755 "$DOWNLOAD"
    sync "$DOWNLOAD"
    mv -f -T "$DOWNLOAD" "$K3S"
    BINARY_SHA256=$wanted
  fi
  record version "$VERSION"
  record sha256 "$BINARY_SHA256"
}

# kept_token <key> <k3s's own file>: the token that this cluster already has, empty when it has none. The data store
# is encrypted with it: a new one would lock the cluster out. https://docs.k3s.io/cli/token
kept_token() {
  local value=''
  if [ -r "$CONFIG_FILE" ]; then value=$(sed -n "s/^$1: \"\(.*\)\"\$/\1/p" "$CONFIG_FILE"); fi
  if [ -z "$value" ] && [ -r "$SERVER_DIR/$2" ]; then
    value=$(cat "$SERVER_DIR/$2")
    value=${value##*:}
  fi
  printf '%s' "$value"
}

new_token() {
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

# host_config: what only the host knows. Flannel would take the interface of the default route, whichever that is when
# k3s starts, and not the one with the node's address. https://docs.k3s.io/cli/agent#networking (flannel-iface)
# Versions 1.8.0 to 1.8.4 of iptables spoil k3s's rules. https://docs.k3s.io/known-issues#iptables
host_config() {
  local address interface
  address=$(sed -n "s/^node-ip: [\"']\{0,1\}\([^\"']*\)[\"']\{0,1\}\$/\1/p" <<<"$CONFIG")
  interface=$(ip -oneline address show 2>/dev/null |
    awk -v address="$address" '{ split($4, parts, "/") } parts[1] == address { print $2 }' | tail -n 1) || true
  if [ -n "$interface" ]; then printf 'flannel-iface: "%s"\n' "$interface"; fi
  if [[ $(iptables --version 2>/dev/null || true) =~ v1\.8\.[0-4]([^0-9]|$) ]]; then printf 'prefer-bundled-bin: true\n'; fi
}

# write_config: config.yaml from CONFIG and, on the first server, the tokens.
write_config() {
  local text=$CONFIG key value own
  # Since Kubernetes 1.35 the kubelet refuses cgroup version 1 unless told otherwise.
  # https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/ (failCgroupV1)
  if [ "$(cgroup_version)" = 1 ]; then text+=$'kubelet-arg:\n  - fail-cgroupv1=false\n'; fi
  own=$(host_config)
  text+=${own:+$own$'\n'}
  if [ "$MAKE_TOKENS" = 1 ]; then
    for key in token agent-token; do
      value=$(kept_token "$key" "$key")
      if [ -z "$value" ]; then value=$(new_token); fi
      text+="$key: \"$value\""$'\n'
    done
  fi
  mkdir -p "$(dirname "$CONFIG_FILE")"
  if [ -e "$CONFIG_FILE" ] && cmp -s <(printf '%s' "$text") "$CONFIG_FILE"; then
    chmod 600 "$CONFIG_FILE"
  else
    printf '%s' "$text" | write_file "$CONFIG_FILE" 600
  fi
}

# install_service: the official script makes the unit, the symlinks and the uninstall script. It starts nothing: it
# would not notice a changed config.yaml.
install_service() {
  local got script=$STATE/install.sh variable
  if [ "$(state_get k3s install-script)" = "$INSTALL_SCRIPT_SHA256" ] &&
    [ -e "$ROOT/etc/systemd/system/$UNIT.service" ]; then
    return
  fi
  fetch "$INSTALL_SCRIPT_URL" "$script" "the install script of k3s"
  got=$(sum_of "$script")
  if [ "$got" != "$INSTALL_SCRIPT_SHA256" ]; then
    rm -f "$script"
    fail "$INSTALL_SCRIPT_URL has the SHA-256 $got" "the pinned one is $INSTALL_SCRIPT_SHA256" \
      "put the pinned install.sh into the mirror, or review the new one and set piray:k3s.installScriptSha256"
  fi
  # It copies these into the unit's environment, where they would overrule config.yaml, or takes paths from them.
  for variable in $(compgen -e | grep -E '^(((INSTALL_)?K3S|CONTAINERD)_|(UNINSTALL|KILLALL)_K3S_SH$)' || true); do
    unset "$variable"
  done
  if ! INSTALL_K3S_SKIP_DOWNLOAD=true INSTALL_K3S_SKIP_START=true INSTALL_K3S_SKIP_SELINUX_RPM=true \
    INSTALL_K3S_EXEC=$ROLE INSTALL_K3S_BIN_DIR=$BIN INSTALL_K3S_SYSTEMD_DIR=$ROOT/etc/systemd/system \
    sh "$script" >"$WORK/install.log" 2>&1; then
    rm -f "$script"
    fail "the install script of k3s failed: $(tail -n 3 "$WORK/install.log" | tr '\n' ' ')" "it makes the service $UNIT" \
      "repair what it says, then run make up again"
  fi
  rm -f "$script"
  record install-script "$INSTALL_SCRIPT_SHA256"
}

# make_packages_folder: what the Ray image lacks, installed once by the pods of this host, which run as that user
# (infra/ray_cluster/packages.py). It goes with k3s.
make_packages_folder() {
  local folder=$K3S_DATA/piray-packages
  mkdir -p "$folder"
  chmod 755 "$folder"
  # Tests without root cannot give anything away.
  if [ -z "$ROOT" ]; then chown 1000:100 "$folder"; fi
}

apply() {
  UNIT=$(unit_of "$ROLE")
  check_host
  refuse_problems
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK" "$DOWNLOAD" "$IMAGE_DOWNLOAD"' EXIT
  mkdir -p "$BIN"
  if [ -z "$(state_get k3s role)" ]; then note_found; fi
  record role "$ROLE"
  record data "$(readlink -m "$K3S_DATA")"
  install_binary
  install_images
  make_packages_folder
  write_config
  write_registries
  install_service
  restart_if_changed
  printf '{"version":%s,"sha256":%s}\n' "$(json_string "$VERSION")" "$(json_string "$BINARY_SHA256")"
}

undo() {
  remove_k3s
}

main() {
  alone
  "$1"
}
