#!/bin/sh
# The sandbox's stand-in for k3s's install script: same variables, files and names for what a provisioner uses, in a text
# of its own. It downloads nothing. https://docs.k3s.io/reference/env-variables
#   INSTALL_K3S_SKIP_DOWNLOAD=true is required: the binary must be there. INSTALL_K3S_SKIP_START, INSTALL_K3S_SKIP_ENABLE,
#   INSTALL_K3S_EXEC, INSTALL_K3S_NAME, INSTALL_K3S_TYPE, INSTALL_K3S_BIN_DIR, INSTALL_K3S_SYSTEMD_DIR and
#   INSTALL_K3S_SYMLINK as in k3s; INSTALL_K3S_SKIP_SELINUX_RPM is accepted, there is no such package here.
set -eu

info() {
  echo "[INFO]  $*"
}

fatal() {
  echo "[ERROR]  $*" >&2
  exit 1
}

# choose <argument>...: sets COMMAND (server or agent), ARGUMENTS and the names of all files.
choose() {
  case "${1:-}" in
    server | agent)
      COMMAND=$1
      shift
      ;;
    -* | '')
      COMMAND=server
      if [ -n "${K3S_URL:-}" ]; then COMMAND=agent; fi
      ;;
    *) fatal "the stand-in installs a server or an agent, not '$1'" ;;
  esac
  case "${K3S_URL:-}" in
    '' | https://*) ;;
    *) fatal "Only https:// URLs are supported for K3S_URL (have $K3S_URL)" ;;
  esac
  ARGUMENTS=$*
  BIN_DIR=${INSTALL_K3S_BIN_DIR:-/usr/local/bin}
  SYSTEMD_DIR=${INSTALL_K3S_SYSTEMD_DIR:-/etc/systemd/system}
  SYSTEM_NAME=k3s
  if [ -n "${INSTALL_K3S_NAME:-}" ]; then
    SYSTEM_NAME=k3s-$INSTALL_K3S_NAME
  elif [ "$COMMAND" = agent ]; then
    SYSTEM_NAME=k3s-agent
  fi
  SERVICE=$SYSTEMD_DIR/$SYSTEM_NAME.service
  KILLALL=$BIN_DIR/k3s-killall.sh
  UNINSTALL=$BIN_DIR/$SYSTEM_NAME-uninstall.sh
}

check_binary() {
  case "${INSTALL_K3S_SKIP_DOWNLOAD:-}" in
    true | binary) info 'Skipping k3s download and verify' ;;
    *) fatal 'the stand-in downloads nothing: put its binary in place and set INSTALL_K3S_SKIP_DOWNLOAD=true' ;;
  esac
  [ -x "$BIN_DIR/k3s" ] || fatal "Executable k3s binary not found at $BIN_DIR/k3s"
}

make_links() {
  if [ "${INSTALL_K3S_SYMLINK:-}" = skip ]; then return; fi
  for name in kubectl crictl ctr; do
    if [ "${INSTALL_K3S_SYMLINK:-}" = force ] || ! command -v "$name" >/dev/null 2>&1; then
      info "Creating $BIN_DIR/$name symlink to k3s"
      ln -sf k3s "$BIN_DIR/$name"
    else
      info "Skipping $BIN_DIR/$name symlink to k3s, command exists in PATH"
    fi
  done
}

make_killall() {
  info "Creating killall script $KILLALL"
  cat >"$KILLALL" <<'EOF'
#!/bin/sh
[ "$(id -u)" -eq 0 ] || exec sudo "$0" "$@"
set -x

for service in /etc/systemd/system/k3s*.service; do
  [ -s "$service" ] && systemctl stop "$(basename "$service")"
done

# The pods' processes hang below the shims of our own containerd.
tree() {
  for pid in "$@"; do
    echo "$pid"
    tree $(cat "/proc/$pid/task/"*/children 2>/dev/null)
  done
}
kill_pods() {
  set -- $(grep -lsz -- "/run/k3s/containerd" /proc/[0-9]*/cmdline | xargs -r grep -lsz "^containerd-shim\|/containerd-shim" | cut -d/ -f3)
  [ $# -gt 0 ] && kill -9 $(tree "$@") 2>/dev/null
}
kill_pods

unmount() {
  while read -r _ path _; do
    case "$path" in "$1"*) echo "$path" ;; esac
  done </proc/self/mounts | sort -r | xargs -r -n 1 sh -c 'umount -f "$0" || umount -l "$0"; rm -rf "$0"'
}
unmount /run/k3s
unmount /var/lib/rancher/k3s/agent/containerd
unmount /var/lib/kubelet/pods
unmount /var/lib/kubelet/plugins
unmount /run/netns/cni-

ip netns show 2>/dev/null | grep cni- | cut -d' ' -f1 | xargs -r -n 1 ip netns delete
ip -o link show master cni0 2>/dev/null | cut -d: -f2 | cut -d@ -f1 | xargs -r -n 1 ip link delete
ip link delete cni0
ip route flush proto 153

rm -rf /var/lib/cni/
# Sockets of the shims; a containerd of the host's own has its there too.
if [ ! -S /run/containerd/containerd.sock ]; then rm -rf /run/containerd; fi
for table in 'ip kube-proxy' 'ip6 kube-proxy' 'ip k3s-stand-in'; do
  nft delete table $table 2>/dev/null
done
iptables-save | grep -v KUBE- | grep -v CNI- | iptables-restore
ip6tables-save | grep -v KUBE- | grep -v CNI- | ip6tables-restore

# kubelet's groups; the kernel removes only empty ones, from the leaves up.
for group in /sys/fs/cgroup/kubepods /sys/fs/cgroup/*/kubepods; do
  [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
done
true
EOF
  chmod 755 "$KILLALL"
}

make_uninstall() {
  info "Creating uninstall script $UNINSTALL"
  cat >"$UNINSTALL" <<EOF
#!/bin/sh
[ "\$(id -u)" -eq 0 ] || exec sudo "\$0" "\$@"
set -x
$KILLALL
systemctl disable $SYSTEM_NAME
systemctl reset-failed $SYSTEM_NAME
rm -f $SERVICE $SERVICE.env
systemctl daemon-reload
trap 'rm -f $UNINSTALL' EXIT
if ls $SYSTEMD_DIR/k3s*.service >/dev/null 2>&1; then
  echo 'Additional k3s services installed, skipping uninstall of k3s'
  exit
fi
for name in kubectl crictl ctr; do
  if [ -L $BIN_DIR/\$name ]; then rm -f $BIN_DIR/\$name; fi
done
# As in k3s: a link goes without what it leads to, a mount stays and is emptied.
empty() {
  if ! grep -q " \$1" /proc/mounts; then
    rm -rf "\$1"
    return
  fi
  for path in "\$1"/*; do
    if [ -d "\$path" ]; then empty "\$path"; else rm -f "\$path"; fi
  done
}
rm -rf /etc/rancher/k3s /run/k3s /var/lib/kubelet
empty "\${K3S_DATA_DIR:-/var/lib/rancher/k3s}"
rm -f $BIN_DIR/k3s $KILLALL
EOF
  chmod 755 "$UNINSTALL"
}

make_service() {
  info "systemd: Creating service file $SERVICE"
  systemctl disable "$SYSTEM_NAME" >/dev/null 2>&1 || true
  (
    umask 077
    env | grep -E '^(K3S|CONTAINERD)_' >"$SERVICE.env" || true
    env | grep -iE '^(NO|HTTP|HTTPS)_PROXY=' >>"$SERVICE.env" || true
  )
  # k3s sets LimitNOFILE, LimitNPROC and LimitCORE too; a simulated host may not raise its limits.
  cat >"$SERVICE" <<EOF
[Unit]
Description=Lightweight Kubernetes (stand-in of the sandbox, not k3s)
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=${INSTALL_K3S_TYPE:-notify}
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-$SERVICE.env
KillMode=process
Delegate=yes
User=root
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart=$BIN_DIR/k3s $COMMAND $ARGUMENTS
EOF
  systemctl daemon-reload
}

start_service() {
  if [ "${INSTALL_K3S_SKIP_ENABLE:-}" = true ]; then return; fi
  info "systemd: Enabling $SYSTEM_NAME unit"
  systemctl enable "$SERVICE" >/dev/null 2>&1
  systemctl daemon-reload
  if [ "${INSTALL_K3S_SKIP_START:-}" = true ]; then return; fi
  info "systemd: Starting $SYSTEM_NAME"
  systemctl restart "$SYSTEM_NAME"
}

# INSTALL_K3S_EXEC is a command line: it is split at white space.
# shellcheck disable=SC2086
choose ${INSTALL_K3S_EXEC:-} "$@"
check_binary
make_links
make_killall
make_uninstall
make_service
start_service
