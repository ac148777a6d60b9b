# shellcheck shell=bash
# The one list of checks, for `up` (prepare.sh refuses what is an error) and for the doctor (which tells everything).
# Each file of checks puts its functions into CHECKS; a check reads, and never changes the host.
# Variables: HOST, ARCH (arm64 or amd64) and, each of them empty where it is not known: ADDRESS (of the config), ROLE
# (server or agent), SERVERS (how many), SERVER (address of the first one, empty there), SOURCES (URLs that the host downloads from), ROOM_MIB (disk that k3s and the
# Ray image take), REGISTRY (URL of the Ray image's registry), WRITE_TEST (1 to measure the disk). The last two are for
# the doctor alone: what they find is no reason to refuse.

: "${ADDRESS:=}" "${ROLE:=}" "${SERVERS:=1}" "${SERVER:=}" "${SOURCES:=}" "${ROOM_MIB:=}" "${REGISTRY:=}" "${WRITE_TEST:=0}"

CHECKS=()

# One finding: severity, id, what, rule, remedy, with SEPARATOR between them.
findings=()
SEPARATOR=$'\x1f'

# finding <severity> <id> <what> <rule> <remedy>
finding() {
  local IFS=$SEPARATOR
  findings+=("$*")
}

# error <id> <what> <rule> <remedy>: `up` cannot work on this host.
error() {
  finding error "$@"
}

# warning <id> <what> <rule> <remedy>: `up` works, and something will be slow, or fail on another day.
warning() {
  finding warning "$@"
}

# info <id> <what> [rule]: what is good to know, and what `up` will set right.
info() {
  finding info "$1" "$2" "${3:-}" ""
}

# run_checks: all of them. One that ends early says nothing about its subject; it does not end the others.
run_checks() {
  local check
  for check in "${CHECKS[@]}"; do "$check" </dev/null || true; done
}

# refuse_errors: ends the script when there are any, all of them on standard error.
refuse_errors() {
  local line severity id what rule remedy
  for line in "${findings[@]}"; do
    # shellcheck disable=SC2034 # the id is for the doctor
    IFS=$SEPARATOR read -r severity id what rule remedy <<<"${line//$'\n'/ }"
    if [ "$severity" = error ]; then problem "$what" "$rule" "$remedy"; fi
  done
  refuse_problems
}

# findings_json [severity]: as a list of objects; all of them, or those of one severity.
findings_json() {
  local line severity id what rule remedy all=''
  for line in "${findings[@]}"; do
    IFS=$SEPARATOR read -r severity id what rule remedy <<<"${line//$'\n'/ }"
    if [ -n "${1:-}" ] && [ "$severity" != "$1" ]; then continue; fi
    all+=${all:+,}$(printf '{"severity":"%s","id":"%s","what":%s,"rule":%s,"remedy":%s}' "$severity" "$id" \
      "$(json_string "$what")" "$(json_string "$rule")" "$(json_string "$remedy")")
  done
  printf '[%s]' "$all"
}

# is_ours: has piray installed k3s here already? Then its ports, its files and its place on the disk are no surprise.
is_ours() {
  [ -n "$(state_get k3s role)" ]
}

# nearest_directory <path>: the path itself where it exists, else the directory in which it would be made.
nearest_directory() {
  local path=$1
  while [ ! -d "$path" ]; do path=$(dirname "$path"); done
  readlink -f "$path"
}

# os_release <key>: value from /etc/os-release.
os_release() {
  sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$ROOT/etc/os-release" 2>/dev/null || true
}
