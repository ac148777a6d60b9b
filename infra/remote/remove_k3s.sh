# shellcheck shell=bash
# remove_k3s: takes k3s off the host, however far its install came. Part of k3s.sh and of prepare.sh.
# Does nothing where k3s.sh has left no record: a k3s that somebody else installed is not ours to remove.

remove_k3s() {
  local role uninstall log path
  role=$(state_get k3s role)
  [ -n "$role" ] || return 0
  uninstall=$ROOT/usr/local/bin/k3s-uninstall.sh
  if [ "$role" = agent ]; then uninstall=$ROOT/usr/local/bin/k3s-agent-uninstall.sh; fi
  if [ -x "$uninstall" ]; then
    log=$(mktemp)
    "$uninstall" >"$log" 2>&1 || note "$uninstall ended with an error: $(tail -n 1 "$log")"
    rm -f "$log"
  fi
  remove_remains "$(unit_of "$role")"
  # The uninstall script keeps the pods' logs and the node's password, with which a later join under the same name
  # would be refused.
  for path in /etc/rancher/node /etc/rancher/k3s /var/lib/rancher/k3s /var/log/pods /var/log/containers \
    /usr/local/bin/.k3s.piray-download; do
    rm -rf "$ROOT$path"
  done
  for path in /etc/rancher /var/lib/rancher; do
    if [ -d "$ROOT$path" ]; then rmdir --ignore-fail-on-non-empty "$ROOT$path"; fi
  done
  rm -f "$STATE/k3s" "$STATE/install.sh"
  if [ -d "$STATE" ]; then rmdir --ignore-fail-on-non-empty "$STATE"; fi
}

# remove_remains <unit>: what an install leaves when it ended before it had an uninstall script.
remove_remains() {
  local unit=$1 link
  if [ -e "$ROOT/etc/systemd/system/$unit.service" ]; then
    systemctl disable --now "$unit" >/dev/null 2>&1 || true
    rm -f "$ROOT/etc/systemd/system/$unit.service" "$ROOT/etc/systemd/system/$unit.service.env"
    systemctl daemon-reload >/dev/null 2>&1 || true
  fi
  for link in kubectl crictl ctr; do
    if [ "$(readlink "$ROOT/usr/local/bin/$link" 2>/dev/null)" = k3s ]; then rm -f "$ROOT/usr/local/bin/$link"; fi
  done
  rm -f "$ROOT/usr/local/bin/k3s"
}

unit_of() {
  if [ "$1" = server ]; then echo k3s; else echo k3s-agent; fi
}
