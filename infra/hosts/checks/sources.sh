# shellcheck shell=bash
# Whether what is installed can be downloaded. The servers also say what time it is.

CHECKS+=(check_sources check_registry)

# dated <headers>: the time of the last answer in seconds since 1970, empty where it has none. A copy in a cache has an
# age besides.
dated() {
  local date age
  date=$(tr -d '\r' <"$1" | sed -n 's/^[Dd][Aa][Tt][Ee]: *//p' | tail -n 1)
  age=$(tr -d '\r' <"$1" | sed -n 's/^[Aa][Gg][Ee]: *\([0-9]*\)$/\1/p' | tail -n 1)
  [ -n "$date" ] || return 0
  date=$(date -d "$date" +%s 2>/dev/null) || return 0
  printf '%d' $((date + ${age:-0}))
}

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
      compare_clock "$now" "$name"
    fi
    if ((status)); then
      error sources "it cannot download $url (${said##*$'\n'})" "k3s comes from there" \
        "check the network, the name server and the proxy in /etc/environment, or piray:k3s.version and piray:k3s.mirror"
    fi
  done
  rm -f "$headers"
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
