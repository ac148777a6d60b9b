# shellcheck shell=bash
# shellcheck disable=SC2034 # the checks and k3s.sh read what is set here
# What time other machines say it is: part of the checks and of k3s.sh. Nothing but curl and date is needed.

# Seconds. An agent with a clock that is further behind than this refuses the certificates of a new cluster for longer
# than an install waits.
CLOCK_MAX_SKEW_S=300
CLOCK_RULE="certificates go by the clock: it may differ by $CLOCK_MAX_SKEW_S s"
CLOCK_REMEDY="give it a time server (sudo timedatectl set-ntp true), or set it: sudo date --utc --set='YYYY-MM-DD HH:MM'"

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

# time_of_server <address>: the time that the server of the cluster says, empty where none answers. It says so before a
# login; its certificate is that of an authority which nobody knows yet, and nothing but the date is used.
time_of_server() {
  local headers
  headers=$(mktemp) || return 0
  curl --insecure --silent --noproxy '*' --connect-timeout 3 --max-time 10 --dump-header "$headers" \
    --output /dev/null "https://$1:6443/ping" 2>/dev/null || true
  dated "$headers"
  rm -f "$headers"
}

# clock_differs <seconds since 1970> <who says so>: sets CLOCK_WHAT where this host's clock differs too much.
clock_differs() {
  local skew
  [ -n "$1" ] || return 1
  skew=$(($(date +%s) - $1))
  ((skew > CLOCK_MAX_SKEW_S || skew < -CLOCK_MAX_SKEW_S)) || return 1
  CLOCK_WHAT="the clock says $(date -u '+%Y-%m-%d %H:%M:%S') UTC, and $2 says $(date -u -d "@$1" '+%Y-%m-%d %H:%M:%S')"
}
