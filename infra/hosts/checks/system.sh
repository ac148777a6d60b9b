# shellcheck shell=bash
# shellcheck disable=SC2154 # findings are those of findings.sh
# What the system is: processor, programs, systemd, name, identity, clock.

CHECKS+=(check_architecture check_page_size check_systemd check_tools check_hostname check_machine_id check_clock)

# The k3s that is installed is younger than this (1 January 2026): a clock that shows an earlier time is wrong.
CLOCK_MIN=1767225600

check_architecture() {
  local machine=aarch64 bits architecture
  if [ "$ARCH" = amd64 ]; then machine=x86_64; fi
  if [ "$(uname -m)" != "$machine" ]; then
    error kernel "the kernel says $(uname -m)" "piray:arch $ARCH needs $machine" \
      "install a 64-bit system for $ARCH on this host, or correct piray:arch"
  fi
  bits=$(getconf LONG_BIT 2>/dev/null || echo unknown)
  architecture=$(dpkg --print-architecture 2>/dev/null || echo "$ARCH")
  if [ "$bits" != 64 ] || [ "$architecture" != "$ARCH" ]; then
    error programs "the system's programs are $bits-bit, $architecture" \
      "k3s and Ray need a 64-bit $ARCH system, not only a 64-bit kernel" \
      "write the 64-bit image of Raspberry Pi OS, Debian or Ubuntu to its card"
  fi
}

# Ray's own images know pages of 16 KiB, the default of a Pi 5; other images may not.
check_page_size() {
  local bytes
  bytes=$(getconf PAGESIZE 2>/dev/null || echo 4096)
  if [[ $bytes =~ ^[0-9]+$ ]] && ((bytes > 4096)); then
    info page-size "memory pages of $((bytes / 1024)) KiB" \
      "Ray works with them; a program in an image of yours that does not starts with kernel=kernel8.img in config.txt"
  fi
}

check_systemd() {
  if [ ! -d "$ROOT/run/systemd/system" ]; then
    error systemd "systemd is not running" "k3s is started by systemd" "use Raspberry Pi OS, Debian or Ubuntu"
  fi
}

check_tools() {
  local tool
  for tool in curl sha256sum; do
    has "$tool" || error tools "$tool is missing" "the k3s download needs it" \
      "run: sudo apt-get install --yes curl coreutils"
  done
}

check_hostname() {
  local name
  name=$(hostname)
  if ! [[ $name =~ ^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$ ]] || [ "$name" = localhost ] || ((${#name} > 63)); then
    error hostname "the hostname is '$name'" \
      "a host needs a name of its own: letters, digits and -, at most 63, not localhost" \
      "run: sudo hostnamectl set-hostname $HOST"
  fi
}

check_machine_id() {
  local id
  id=$(machine_id)
  if [ -z "$id" ] || [ "$id" = uninitialized ]; then
    error machine-id "/etc/machine-id is ${id:-empty}" "every host needs an id of its own" \
      "run: sudo rm -f /var/lib/dbus/machine-id && sudo systemd-machine-id-setup"
  fi
}

check_clock() {
  local now synchronized
  now=$(date +%s)
  if ((now < CLOCK_MIN)); then
    error clock "the clock says $(date -u '+%Y-%m-%d %H:%M') UTC" \
      "certificates made on another host would not be valid yet" \
      "$CLOCK_REMEDY"
    return
  fi
  synchronized=$(timeout 5 timedatectl show --property=NTPSynchronized --value 2>/dev/null || true)
  if [ "$synchronized" = no ]; then
    warning clock-server "no time server has set the clock since the boot" \
      "a Pi without a clock chip starts with the time of its last shutdown, and certificates go by the clock" \
      "run: sudo timedatectl set-ntp true, or name a time server of your network in /etc/systemd/timesyncd.conf"
  fi
}

# compare_clock <seconds since 1970 that a server says> <who says so>: tells a wrong clock once.
compare_clock() {
  local line
  clock_differs "$1" "$2" || return 0
  for line in "${findings[@]}"; do
    if [[ $line == error"$SEPARATOR"clock"$SEPARATOR"* ]]; then return 0; fi
  done
  error clock "$CLOCK_WHAT" "$CLOCK_RULE" "$CLOCK_REMEDY"
}
