# shellcheck shell=bash
# What is installed already, or listens already, or is missing below k3s.

CHECKS+=(check_other_clusters check_ports check_iptables check_modules check_proxy)

# Kernel modules that k3s's network and containers need.
MODULES=(vxlan br_netfilter overlay)
# Set where a package holds the modules that are missing: `up` installs it.
MODULES_PACKAGE=''

check_other_clusters() {
  local unit found remedy
  if ! is_ours; then
    for unit in k3s k3s-agent; do
      if [ -e "$ROOT/etc/systemd/system/$unit.service" ]; then
        remedy=$unit-uninstall.sh
        error other-kubernetes "k3s is installed already ($unit.service), and not by this program" \
          "make down would remove it, so piray does not take it over" "run: sudo $remedy; then run make up again"
      fi
    done
  fi
  for unit in kubelet rke2-server rke2-agent k0scontroller k0sworker snap.microk8s.daemon-kubelite; do
    for found in etc/systemd/system lib/systemd/system usr/lib/systemd/system; do
      if [ -e "$ROOT/$found/$unit.service" ]; then
        error other-kubernetes "another Kubernetes is installed ($unit.service)" \
          "two of them fight over the same ports and the same network" "remove it, or use another host"
        break
      fi
    done
  done
  if systemctl is-active --quiet docker 2>/dev/null; then
    info docker "Docker runs beside k3s" "it takes memory, and images are kept twice"
  fi
}

# check_ports: who listens where k3s will.
check_ports() {
  local wanted='10250 10248 10249 10256' port line user
  is_ours && return
  if [ "$ROLE" != agent ]; then wanted+=' 6443 6444 10257 10258 10259'; fi
  if [ "$ROLE" != agent ] && [ "$SERVERS" != 1 ]; then wanted+=' 2379 2380'; fi
  # A k3s or another Kubernetes that is there already is told once, by check_other_clusters.
  if [ -e "$ROOT/etc/systemd/system/k3s.service" ] || [ -e "$ROOT/etc/systemd/system/k3s-agent.service" ]; then return; fi
  for port in $wanted; do
    line=$(ss -Hltnp "sport = :$port" 2>/dev/null | head -n 1)
    [ -n "$line" ] || continue
    user=$(sed -n 's/.*users:(("\([^"]*\)".*/\1/p' <<<"$line")
    error port "port $port is taken${user:+ by $user}" "k3s listens there" \
      "stop that program: sudo ss -ltnp 'sport = :$port' shows it"
  done
  if [ -n "$(ss -Hlun 'sport = :8472' 2>/dev/null | head -n 1)" ]; then
    error port "port 8472/udp is taken" "flannel carries the pods' traffic there" \
      "stop that program: sudo ss -lunp 'sport = :8472' shows it"
  fi
}

# broken_iptables: the versions that k3s warns of. https://docs.k3s.io/known-issues#iptables
broken_iptables() {
  [[ $(iptables --version 2>/dev/null) =~ v1\.8\.[0-4]([^0-9]|$) ]]
}

check_iptables() {
  if broken_iptables; then
    info iptables "$(iptables --version)" "versions 1.8.0 to 1.8.4 spoil k3s's rules: make up has it use its own"
  fi
}

# module_there <name>: loaded, built in, or to be loaded.
module_there() {
  [ -d "$ROOT/sys/module/$1" ] || modprobe --dry-run --quiet "$1" 2>/dev/null
}

check_modules() {
  local module missing='' kernel
  kernel=$(uname -r)
  MODULES_PACKAGE=''
  for module in "${MODULES[@]}"; do
    module_there "$module" || missing+="${missing:+, }$module"
  done
  [ -n "$missing" ] || return 0
  if [ ! -d "$ROOT/lib/modules/$kernel" ]; then
    # Without any modules on the disk there is nothing to tell from: what is needed may be built in.
    if [ -n "$(ls -A "$ROOT/lib/modules" 2>/dev/null)" ]; then
      error modules "the modules of the running kernel $kernel are gone ($missing)" \
        "an update has replaced the kernel, and the old one still runs" \
        "run: sudo systemctl reboot; then run make up again"
    fi
    return
  fi
  # Ubuntu 21.10 to 23.10 has them in a package of its own. https://docs.k3s.io/installation/requirements
  if [ "$(os_release ID)" = ubuntu ] && [[ $kernel == *raspi* ]] && has apt-get; then
    MODULES_PACKAGE=linux-modules-extra-raspi
    info modules "the kernel has no module $missing" "make up installs $MODULES_PACKAGE, which holds it"
  else
    error modules "the kernel $kernel has no module $missing" "the network between pods and containers need it" \
      "update the system (sudo apt-get update && sudo apt-get full-upgrade) and reboot; on Ubuntu install linux-modules-extra-raspi"
  fi
}

# excepted <NO_PROXY>: is ADDRESS among them, as itself or by its network?
excepted() {
  local entry
  for entry in ${1//,/ }; do
    if [ "$entry" = "$ADDRESS" ] || [ "$entry" = '*' ]; then return 0; fi
    if [[ $entry =~ ^[0-9.]+/[0-9]+$ && $ADDRESS != *:* ]] && overlap "$entry" "$ADDRESS/32"; then return 0; fi
  done
  return 1
}

check_proxy() {
  local line proxy='' exceptions=''
  while IFS= read -r line; do
    line=${line#export }
    line=${line//\"/}
    case ${line%%=*} in
      http_proxy | https_proxy | HTTP_PROXY | HTTPS_PROXY | all_proxy | ALL_PROXY) proxy=${line#*=} ;;
      no_proxy | NO_PROXY) exceptions=${line#*=} ;;
    esac
  done < <(cat "$ROOT/etc/environment" 2>/dev/null; env)
  [ -n "$proxy" ] || return 0
  # A password may be in it.
  proxy=$(sed -E 's#//[^/@]*@#//***@#' <<<"$proxy")
  if [ -n "$ADDRESS" ] && ! excepted "$exceptions"; then
    warning proxy "programs use the proxy $proxy, also for $ADDRESS" \
      "k3s takes it over, and then nodes talk to each other by the proxy" \
      "add your network to NO_PROXY in /etc/environment: NO_PROXY=127.0.0.0/8,$(lan),10.42.0.0/16,10.43.0.0/16,.svc,.cluster.local"
  else
    info proxy "downloads go by the proxy $proxy"
  fi
}
