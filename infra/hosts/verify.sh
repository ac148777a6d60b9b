# shellcheck shell=bash
# apply: checks that the host runs with the kernel options it was prepared with, and prints its facts.
# Variables: HOST, REBOOTED_FROM (boot id before the reboot, or empty), and where another host was found with the same
# name or id TAKEN_HOSTNAME, TAKEN_MACHINE_ID and who has them (HOSTNAME_OWNER, MACHINE_OWNER).
# Standard output: one line of JSON, the same until the next boot.

check_boot() {
  if [ -n "$REBOOTED_FROM" ] && [ "$(boot_id)" = "$REBOOTED_FROM" ]; then
    problem "it still runs the boot from before" \
      "the reboot did not come, and after five minutes the fallback opened the SSH listener again" \
      "run: sudo systemctl reboot; then run make up again"
  fi
}

# check_names: read again here, so that a host renamed after a refusal passes.
check_names() {
  if [ -n "$TAKEN_HOSTNAME" ] && [ "$(hostname)" = "$TAKEN_HOSTNAME" ]; then
    problem "the hostname $TAKEN_HOSTNAME is already taken by $HOSTNAME_OWNER" "every host needs a name of its own" \
      "run: sudo hostnamectl set-hostname $HOST; then run make up again"
  fi
  if [ -n "$TAKEN_MACHINE_ID" ] && [ "$(machine_id)" = "$TAKEN_MACHINE_ID" ]; then
    problem "/etc/machine-id is the same as that of $MACHINE_OWNER" \
      "it is the same host under two addresses, or a copied card" \
      "correct the address, or run: sudo rm -f /etc/machine-id /var/lib/dbus/machine-id && sudo systemd-machine-id-setup; then run make up again"
  fi
}

check_cgroups() {
  local controller version line
  version=$(cgroup_version)
  line=$(cat "$ROOT/proc/cmdline")
  for controller in memory cpuset; do
    controller_enabled "$controller" && continue
    if ! enable_option_there "$controller" "$line"; then
      problem "the kernel was started without cgroup_enable=$controller, though cmdline.txt has it" \
        "the firmware reads another file (os_prefix or cmdline= in config.txt, a tryboot image)" \
        "add cgroup_memory=1 cgroup_enable=memory cgroup_enable=cpuset to the file it reads, then reboot"
    elif disabled_last "$controller" "$line"; then
      problem "the kernel was started with cgroup_disable=$controller after our option" \
        "the last one wins, and k3s needs the $controller controller" \
        "take cgroup_disable=$controller out of cmdline.txt (and cmdline= out of config.txt), then reboot"
    else
      problem "the $controller controller is off (cgroup version $version, kernel $(uname -r))" \
        "k3s needs it, and the kernel was started with the option that turns it on" \
        "update the system (sudo apt-get update && sudo apt-get full-upgrade), then reboot"
    fi
  done
}

# enable_option_there <controller> <command line>
enable_option_there() {
  local token
  while IFS= read -r token; do
    if [ "${token%%=*}" = cgroup_enable ] && listed "$1" "${token#*=}"; then return 0; fi
  done < <(kernel_tokens "$2")
  return 1
}

model() {
  local file
  for file in /proc/device-tree/model /sys/class/dmi/id/product_name; do
    if [ -r "$ROOT$file" ]; then
      tr -d '\0\n' <"$ROOT$file"
      return
    fi
  done
  printf unknown
}

# throttled: what the firmware has seen since the boot, as JSON: null where nobody knows. Bits 16-19 are under-voltage,
# frequency capped, throttled, soft temperature limit. https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
throttled() {
  local answer
  answer=$(vcgencmd get_throttled 2>/dev/null || true)
  if [[ $answer =~ ^throttled=(0x[0-9a-fA-F]+)$ ]]; then
    local seen=$((BASH_REMATCH[1] >> 16 & 0xF)) names=() i all=(under-voltage frequency-capped throttled temperature-limit)
    for i in 0 1 2 3; do
      if ((seen >> i & 1)); then names+=("$(json_string "${all[i]}")"); fi
    done
    local IFS=,
    printf '[%s]' "${names[*]:-}"
  else
    printf null
  fi
}

apply() {
  check_boot
  check_names
  # The old boot lacks the options anyway: that would be the same problem told twice.
  if [ "$(boot_id)" != "$REBOOTED_FROM" ]; then check_cgroups; fi
  refuse_problems
  # The reboot came, so the listener needs no rescue; without a reboot there is no such timer.
  systemctl stop piray-listener.timer >/dev/null 2>&1 || true
  printf '{"arch":%s,"kernel":%s,"model":%s,"cores":%d,"memoryMib":%d,"cgroupVersion":%d,"throttled":%s}\n' \
    "$(json_string "$(uname -m)")" "$(json_string "$(uname -r)")" "$(json_string "$(model)")" "$(nproc)" \
    "$(awk '$1 == "MemTotal:" { print int($2 / 1024) }' "$ROOT/proc/meminfo")" "$(cgroup_version)" "$(throttled)"
}

main() {
  "$1"
}
