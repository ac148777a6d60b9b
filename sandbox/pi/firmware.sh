#!/bin/bash
# Firmware and kernel of a simulated Raspberry Pi: runs as process 1, then becomes systemd. /proc/cmdline, the memory
# controller and the boot id follow the card's command line at each boot. Variables: PI_CGROUP (1 or 2), PI_SLOW_BOOT_S
# (seconds before the system starts), PI_BOOTS (boots after which the host stays down; 0 for none), PI_CARD (words that
# change the card before the first boot: see prepare_card), PI_SUDO_PASSWORD (what sudo asks for; empty where it asks for
# nothing).
set -euo pipefail

FIRMWARE=/run/firmware
OURS=/var/log/pi-boots

# answer <program> <argument> <text>: lets a program say something else to one argument.
answer() {
  cat >"/usr/local/bin/$1" <<X
#!/bin/sh
if [ "\$1" = $2 ]; then echo $3; else exec /usr/bin/$1 "\$@"; fi
X
  chmod 755 "/usr/local/bin/$1"
}

# prepare_card <word>...
prepare_card() {
  local word
  for word in "$@"; do
    case $word in
      ubuntu)
        mkdir /boot/firmware/current
        mv /boot/firmware/cmdline.txt /boot/firmware/current/
        rm /boot/cmdline.txt
        ;;
      old)
        mv -f /boot/firmware/cmdline.txt /boot/cmdline.txt
        rm -r /boot/firmware
        ;;
      no-sudo) rm /etc/sudoers.d/010_pi-nopasswd ;;
      dropbear)
        dropbearconvert openssh dropbear /etc/ssh/ssh_host_ed25519_key /etc/dropbear/dropbear_ed25519_host_key 2>/dev/null
        systemctl --quiet disable ssh
        systemctl --quiet enable dropbear
        ;;
      # A 64-bit kernel below a 32-bit system: its C library and its package manager say so.
      32-bit)
        answer getconf LONG_BIT 32
        answer dpkg --print-architecture armhf
        ;;
      # What a host says of itself whose pods are emulated; its own programs are this machine's.
      arm64)
        answer uname -m aarch64
        answer dpkg --print-architecture arm64
        ;;
      *)
        echo "firmware: $word is no change of a card" >&2
        exit 1
        ;;
    esac
  done
}

# own_name <first boot: 0 or 1>: the card's own files again. A container's are mounted, and hostnamectl replaces them.
own_name() {
  local name
  name=$(cat /etc/hostname)
  umount /etc/hostname /etc/hosts
  if [ "$1" = 1 ]; then
    echo "$name" >/etc/hostname
    printf '127.0.0.1\tlocalhost\n127.0.1.1\t%s\n' "$name" >/etc/hosts
  fi
}

# command_line: what the kernel is started with; the firmware's own part comes first.
command_line() {
  local file
  for file in /boot/firmware/current/cmdline.txt /boot/firmware/cmdline.txt /boot/cmdline.txt; do
    if [ -e "$file" ]; then break; fi
  done
  printf 'coherent_pool=1M 8250.nr_uarts=1 cgroup_disable=memory numa_policy=interleave vc_mem.mem_size=0x40000000  %s\n' \
    "$(head -n 1 "$file")"
}

# memory_enabled <command line>: as the Raspberry Pi's kernel decides; the last word counts.
memory_enabled() {
  local option enabled=1
  for option in $1; do
    case $option in
      cgroup_disable=memory) enabled=1 ;;
      cgroup_enable=memory | cgroup_memory=1) enabled=0 ;;
    esac
  done
  return "$enabled"
}

# cgroups_1: hierarchies that may be written to; without --privileged they arrive read-only.
cgroups_1() {
  local controller
  mount -o remount,bind,rw,nosuid,nodev,noexec /sys/fs/cgroup
  for controller in /sys/fs/cgroup/*/; do
    if [ ! -L "${controller%/}" ]; then mount -o remount,bind,rw,nosuid,nodev,noexec "$controller"; fi
  done
  if [ "$MEMORY" = 0 ]; then
    umount /sys/fs/cgroup/memory
    rmdir /sys/fs/cgroup/memory
  fi
  awk -v on="$MEMORY" 'BEGIN { OFS = "\t" } $1 == "memory" { $4 = on; if (!on) $2 = 0 } { print }' \
    /proc/cgroups >"$FIRMWARE/cgroups"
  mount --bind "$FIRMWARE/cgroups" /proc/cgroups
}

# cgroups_2: the unified hierarchy. On a machine that has its controllers in version 1 the hierarchy is real and its list
# of controllers is not: enough for a host to be prepared and verified, not for pods.
cgroups_2() {
  local real controllers
  umount --recursive /sys/fs/cgroup
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  real=$(cat /sys/fs/cgroup/cgroup.controllers)
  controllers=$real
  if [[ " $real " != *" memory "* ]]; then controllers='cpuset cpu io memory pids'; fi
  if [ "$MEMORY" = 0 ]; then controllers=${controllers/memory /}; fi
  if [ "$controllers" != "$real" ]; then
    echo "$controllers" >"$FIRMWARE/controllers"
    mount --bind "$FIRMWARE/controllers" /sys/fs/cgroup/cgroup.controllers
  fi
}

touch "$OURS"
boots=$(wc -l <"$OURS")
own_name "$((boots == 0))"
if [ "$boots" = 0 ]; then
  ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
  # shellcheck disable=SC2086 # words
  prepare_card ${PI_CARD:-}
fi
if [ "$boots" = 0 ] && [ -n "${PI_SUDO_PASSWORD:-}" ]; then
  rm -f /etc/sudoers.d/010_pi-nopasswd
  printf 'pi:%s\n' "$PI_SUDO_PASSWORD" | chpasswd
fi
unset PI_SUDO_PASSWORD
date --iso-8601=seconds >>"$OURS"
if [ "${PI_BOOTS:-0}" != 0 ] && ((boots >= PI_BOOTS)); then exec sleep infinity; fi
sleep "${PI_SLOW_BOOT_S:-0}"

mkdir -p "$FIRMWARE"
command_line >"$FIRMWARE/cmdline"
MEMORY=0
if memory_enabled "$(cat "$FIRMWARE/cmdline")"; then MEMORY=1; fi
cat /proc/sys/kernel/random/uuid >"$FIRMWARE/boot-id"
mount --make-rshared /
mount --bind "$FIRMWARE/cmdline" /proc/cmdline
mount --bind "$FIRMWARE/boot-id" /proc/sys/kernel/random/boot_id
# A machine that has version 2 alone can show no other.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then PI_CGROUP=2; fi
"cgroups_${PI_CGROUP:-1}"
exec /sbin/init
