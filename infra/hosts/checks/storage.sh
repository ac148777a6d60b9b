# shellcheck shell=bash
# Where the system and k3s's data lie: kind of file system, room, inodes.

CHECKS+=(check_root check_data_directory check_room check_inodes check_write_speed)

DATA=/var/lib/rancher/k3s
# The files of k3s and of a Ray image, roughly.
INODES_MIN=100000
# Below this share of its disk the kubelet of k3s throws pods off the node.
# https://github.com/k3s-io/k3s/blob/master/pkg/daemons/agent/agent.go (imagefs.available, nodefs.available)
KEPT_PERCENT=5

WRITE_MIB=32
WRITE_TIMES=50
WRITE_MAX_S=20
WRITE_SLOW_MIB_S=10
WRITE_SLOW_MS=50

# mount_of <path>: device, mount point, type and options of the file system that holds a directory.
mount_of() {
  awk -v path="${1:-/}" '
    { point = $2 == "/" ? "" : $2 }
    index(path "/", point "/") == 1 && length($2) >= length(found) { found = $2; line = $1 " " $2 " " $3 " " $4 }
    END { print line }' "$ROOT/proc/mounts" 2>/dev/null
}

data_directory() {
  local directory
  directory=$(nearest_directory "$ROOT$DATA")
  directory=${directory#"$ROOT"}
  printf '%s' "${directory:-/}"
}

# In a container the root is an overlay on a real disk.
in_container() {
  [ -e "$ROOT/run/systemd/container" ]
}

# check_root: a root that is an overlay forgets everything at the next boot.
check_root() {
  local device type line
  read -r device _ type _ <<<"$(mount_of /)"
  line=$(cat "$ROOT/proc/cmdline" ${FILE:+"$FILE"} 2>/dev/null | tr '\0\n' '  ')
  if kernel_tokens "$line" | grep -E '^(boot=overlay|overlayroot=("?tmpfs|"?device).*)$' >/dev/null ||
    { [ "$type" = overlay ] && ! in_container; }; then
    error root "the root file system is an overlay in memory" "what make up installs would be gone after a restart" \
      "turn it off (sudo raspi-config nonint disable_overlayfs, or take overlayroot out of the kernel's options), then reboot"
  elif [[ $type == nfs* || $device == /dev/nbd* ]] || kernel_tokens "$line" | grep -E '^root=(/dev/nfs|/dev/nbd.*|nbd:.*)$' >/dev/null; then
    error root "the root file system comes over the network (${device:-?}, ${type:-?})" \
      "containers need a disk of the host's own: overlays do not work on NFS, and a lost connection stops the node" \
      "install the system on a card or an SSD of this Pi"
  fi
}

check_data_directory() {
  local directory device type
  directory=$(data_directory)
  if [ "$(mount_of "$directory")" = "$(mount_of /)" ]; then return; fi
  read -r device _ type _ <<<"$(mount_of "$directory")"
  case $type in
    overlay | nfs* | tmpfs | ramfs | vfat | exfat | ntfs* | fuse* | cifs | 9p | squashfs)
      error data-directory "$DATA is on $type (${device:-?})" \
        "containers need a file system such as ext4 on a disk of the host's own" \
        "mount a disk with ext4 at /var/lib/rancher, or take that mount away" ;;
  esac
}

check_room() {
  local directory total free needed
  [ -n "$ROOM_MIB" ] || return 0
  directory=$(data_directory)
  read -r total free <<<"$(df -Pk "$ROOT$directory" | awk 'NR == 2 { print int($2 / 1024), int($4 / 1024) }')"
  [ -n "$free" ] || return 0
  needed=$((total * KEPT_PERCENT / 100))
  if is_ours; then
    if ((free < 2 * needed)); then
      warning room "$directory has $free MiB of $total MiB free" \
        "below $needed MiB Kubernetes throws pods off the node" "make room: sudo k3s crictl rmi --prune; sudo apt-get clean"
    fi
  elif ((free < needed + ROOM_MIB)); then
    error room "$directory has $free MiB free" \
      "k3s and the Ray image take about $ROOM_MIB MiB, and Kubernetes wants $needed MiB ($KEPT_PERCENT % of the disk) kept free" \
      "use a larger card (16 GB or more), make room (sudo apt-get clean), or name a smaller image in piray:ray.image"
  fi
}

check_inodes() {
  local directory total free
  is_ours && return
  directory=$(data_directory)
  read -r total free <<<"$(df -Pi "$ROOT$directory" | awk 'NR == 2 { print $2, $4 }')"
  # Some file systems make inodes as they are needed, and say 0 or -.
  if [[ $total =~ ^[1-9][0-9]*$ ]] && ((free < INODES_MIN)); then
    error inodes "$directory has room for $free more files" "k3s and the Ray image are about $INODES_MIN files" \
      "delete files (sudo apt-get clean), or use a larger card"
  fi
}

# check_write_speed: what a write of 32 MiB and small writes that wait for the card take. Only where WRITE_TEST is 1.
check_write_speed() {
  local directory began seconds_ns each_ns
  [ "$WRITE_TEST" = 1 ] || return 0
  directory=$(data_directory)
  WRITE_FILE=$(mktemp "$ROOT${directory%/}/.piray-write-test-XXXXXX" 2>/dev/null) || return 0
  began=$(date +%s%N)
  # After the first time-out the card is known to be slow, and the second number is not needed.
  timeout "$WRITE_MAX_S" dd if=/dev/zero of="$WRITE_FILE" bs=1M count="$WRITE_MIB" conv=fsync status=none 2>/dev/null
  seconds_ns=$(($(date +%s%N) - began))
  each_ns=$seconds_ns
  if ((seconds_ns < WRITE_MAX_S * 1000000000)); then
    began=$(date +%s%N)
    timeout "$WRITE_MAX_S" dd if=/dev/zero of="$WRITE_FILE" bs=4k count="$WRITE_TIMES" oflag=dsync status=none 2>/dev/null
    each_ns=$((($(date +%s%N) - began) / WRITE_TIMES))
  fi
  rm -f "$WRITE_FILE"
  WRITE_SPEED="$((WRITE_MIB * 1000000000 / (seconds_ns + 1))) MiB/s, $((each_ns / 1000000)) ms for a small write"
  if ((seconds_ns > WRITE_MIB * 1000000000 / WRITE_SLOW_MIB_S || each_ns > WRITE_SLOW_MS * 1000000)); then
    warning write-speed "writing to $directory is slow: $WRITE_SPEED" \
      "below $WRITE_SLOW_MIB_S MiB/s, or above $WRITE_SLOW_MS ms, images take minutes to unpack and servers lose touch" \
      "use a card of class A1 or A2, or an SSD by USB"
  fi
}
