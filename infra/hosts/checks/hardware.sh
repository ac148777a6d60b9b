# shellcheck shell=bash
# What the machine is and how it feels: memory, swap, cores, power, temperature.

CHECKS+=(check_memory check_swap check_cores check_power check_temperature)

# k3s alone; a worker's pod comes on top. https://docs.k3s.io/reference/resource-profiling
MEMORY_MIN_MIB=480
SERVER_MIN_MIB=900
SERVER_GOOD_MIB=1800
TEMPERATURE_HIGH=80

memory_mib() {
  awk '$1 == "MemTotal:" { print int($2 / 1024) }' "$ROOT/proc/meminfo"
}

check_memory() {
  local have needed=$MEMORY_MIN_MIB
  have=$(memory_mib)
  if [ "$ROLE" = server ]; then needed=$SERVER_MIN_MIB; fi
  if ((have < needed)); then
    error memory "$have MiB of memory" "k3s as ${ROLE:-agent} needs $needed MiB before the first pod" \
      "use a Pi with more memory; a Pi with 2 GB or more also holds Ray"
  elif [ "$ROLE" = server ] && ((have < SERVER_GOOD_MIB)); then
    warning memory "$have MiB of memory" "k3s advises 2 GB for a server" "make a Pi with more memory the server"
  fi
}

check_swap() {
  local devices
  devices=$(awk 'NR > 1 { print $1 }' "$ROOT/proc/swaps" 2>/dev/null | tr '\n' ' ')
  devices=${devices% }
  case $devices in
    '') ;;
    *zram*)
      warning swap "swap is on ($devices, compressed memory)" \
        "a pod that is out of memory slows the Pi down instead of being restarted, and times in a benchmark vary" \
        "run: sudo systemctl mask --now systemd-zram-setup@zram0.service rpi-zram-writeback.timer; sudo swapoff --all" ;;
    *)
      warning swap "swap is on ($devices)" \
        "a pod that is out of memory slows the Pi down instead of being restarted, and wears the card out" \
        "run: sudo swapoff --all, and take it out of /etc/fstab (or: sudo systemctl disable --now dphys-swapfile)" ;;
  esac
}

check_cores() {
  local cores
  cores=$(nproc)
  if ((cores < 2)); then
    warning cores "$cores core" "k3s alone takes most of one core, and Ray's head asks for one" "use a Pi with 4 cores"
  fi
}

# check_power: bits 0-3 are now, 16-19 since the boot: under-voltage, frequency capped, throttled, soft temperature
# limit. https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
check_power() {
  local answer bits names=(under-voltage frequency-capped throttled temperature-limit) i now='' earlier=''
  answer=$(vcgencmd get_throttled 2>/dev/null || true)
  [[ $answer =~ ^throttled=(0x[0-9a-fA-F]+)$ ]] || return 0
  bits=$((BASH_REMATCH[1]))
  for i in 0 1 2 3; do
    if ((bits >> i & 1)); then now+="${now:+, }${names[i]}"; fi
    if ((bits >> (i + 16) & 1)); then earlier+="${earlier:+, }${names[i]}"; fi
  done
  if [ -n "$now$earlier" ]; then
    warning power "the firmware says ${now:+now: $now}${now:+${earlier:+; }}${earlier:+since the boot: $earlier}" \
      "the Pi slows itself down, so its times are not right, and a card may lose data" \
      "use the official power supply and a cable that fits it, or better cooling; then restart the Pi"
  fi
}

check_temperature() {
  local file degrees
  for file in "$ROOT"/sys/class/thermal/thermal_zone*/temp; do
    [ -r "$file" ] || continue
    degrees=$(($(cat "$file") / 1000))
    if ((degrees >= TEMPERATURE_HIGH)); then
      warning temperature "its processor is at $degrees degrees Celsius" "at $TEMPERATURE_HIGH it slows itself down" \
        "cool it: a fan, or more room around it"
      return
    fi
  done
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
