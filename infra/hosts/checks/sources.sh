# shellcheck shell=bash
# Whether what is installed can be downloaded. The servers also say what time it is.

CHECKS+=(check_server_clock check_sources check_registry)

# Seconds since 1970 that the sources said, and what this host's clock said then; empty where none answered.
SOURCE_TIME=''
HOST_TIME=''

check_sources() {
  local url headers said status name now=''
  is_ours && return
  has curl || return 0
  headers=$(mktemp) || return 0
  for url in $SOURCES; do
    name=${url#*://}
    name=${name%%/*}
    status=0
    : >"$headers"
    said=$(curl --fail --location --silent --show-error --proto '=http,https' --retry 2 --retry-connrefused \
      --connect-timeout 10 --max-time 30 --dump-header "$headers" --output /dev/null "$url" 2>&1) || status=$?
    if ((status == 60)); then
      # To a wrong clock every certificate looks expired, or not valid yet. Nothing of the answer is used but its date.
      curl --insecure --location --silent --head --max-time 30 --dump-header "$headers" --output /dev/null "$url" \
        2>/dev/null || true
    fi
    if [ -z "$now" ]; then
      now=$(dated "$headers")
      if [ -n "$now" ]; then SOURCE_TIME=$now HOST_TIME=$(date +%s); fi
      compare_clock "$now" "$name"
    fi
    if ((status)); then
      error sources "it cannot download $url (${said##*$'\n'})" "k3s comes from there" \
        "check the network, the name server and the proxy in /etc/environment, or piray:k3s.version and piray:k3s.mirror"
    fi
  done
  rm -f "$headers"
}

# check_server_clock: the cluster's certificates are made by the clock of its first server.
check_server_clock() {
  [ -n "$SERVER" ] && has curl || return 0
  compare_clock "$(time_of_server "$SERVER")" "the server $SERVER"
}

# right_time: seconds since 1970 by the clock of the sources, where they have said what it is.
right_time() {
  printf '%d' $(($(date +%s) + ${SOURCE_TIME:-0} - ${HOST_TIME:-0}))
}

# check_registry: an answer that asks for a login is one as well, and so is one without a certificate that we know.
check_registry() {
  local url status
  [ -n "$REGISTRY" ] && has curl || return 0
  for url in "$REGISTRY" "http://${REGISTRY#https://}"; do
    status=$(curl --insecure --silent --output /dev/null --write-out '%{http_code}' --connect-timeout 10 --max-time 20 \
      "$url" 2>/dev/null || true)
    if [[ $status =~ ^[24] ]]; then return; fi
  done
  warning registry "it does not reach $REGISTRY" "the Ray image comes from there, where the mirror does not bring it" \
    "check the network and the proxy in /etc/environment, or bring the images by piray:k3s.mirror"
}
