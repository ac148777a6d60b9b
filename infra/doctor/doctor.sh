# shellcheck shell=bash
# shellcheck disable=SC2154 # what the checks have found is in theirs
# Runs every check and prints what each has found, with the host's facts, as one line of JSON. Changes nothing; where
# WRITE_TEST is 1 it writes a file and removes it again.
# Variables: those of the checks (findings.sh). Not only root may run it: then some checks see less.

# fact <name> <text>: a fact that is text; null where it is empty.
fact() {
  if [ -n "$2" ]; then printf '"%s":%s,' "$1" "$(json_string "$2")"; else printf '"%s":null,' "$1"; fi
}

# clock: seconds since 1970, with three decimals.
clock() {
  date +%s.%3N
}

main() {
  local began facts
  # A connection that breaks has nobody to print for; the file of the write test must go in any case.
  trap 'rm -f "${WRITE_FILE:-}"' EXIT
  began=$(clock)
  run_checks
  facts=$(
    fact hostname "$(hostname)"
    fact machineId "$(machine_id)"
    fact dbusMachineId "$(if [ ! -L "$ROOT/var/lib/dbus" ] && [ ! -L "$ROOT/var/lib/dbus/machine-id" ]; then cat "$ROOT/var/lib/dbus/machine-id" 2>/dev/null; fi)"
    fact bootId "$(boot_id)"
    fact system "$(os_release PRETTY_NAME)"
    fact arch "$(uname -m)"
    fact kernel "$(uname -r)"
    fact model "$(model)"
    fact interface "$INTERFACE"
    fact defaultRouteInterface "$ROUTE_INTERFACE"
    fact k3sVersion "$(state_get k3s version)"
    fact writeSpeed "${WRITE_SPEED:-}"
  )
  printf '{"facts":{%s"cores":%d,"memoryMib":%d,"dhcp":%s,"clockBegin":%s,"clockEnd":%s},"findings":%s}\n' \
    "$facts" "$(nproc)" "$(memory_mib)" "$DHCP" "$began" "$(clock)" "$(findings_json)"
}
