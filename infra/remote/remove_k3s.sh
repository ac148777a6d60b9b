# shellcheck shell=bash
# remove_k3s: takes k3s off the host, however far its install came. Part of k3s.sh and of prepare.sh.
# Does nothing where k3s.sh has left no record: a k3s that somebody else installed is not ours to remove.
# What was there before, and what the owner has put beside k3s's own configuration, stays: the uninstall script of k3s
# would take it along.

K3S_DATA=$ROOT/var/lib/rancher/k3s
# What the host had before; paths without the leading slash, one a line.
K3S_FOUND=$STATE/k3s-found
K3S_KEPT=$STATE/k3s-kept.tar
REGISTRIES_FILE=$ROOT/etc/rancher/k3s/registries.yaml
# At the end of every line of ours in it.
REGISTRIES_MARK="# piray"
# The owner's config.yaml of an earlier k3s, which ours has replaced.
K3S_OLD_CONFIG=$STATE/k3s-config.yaml

remove_k3s() {
  local role uninstall log path data
  role=$(state_get k3s role)
  [ -n "$role" ] || return 0
  data=$(state_get k3s data)
  keep_found
  uninstall=$ROOT/usr/local/bin/k3s-uninstall.sh
  if [ "$role" = agent ]; then uninstall=$ROOT/usr/local/bin/k3s-agent-uninstall.sh; fi
  if [ -x "$uninstall" ]; then
    log=$(mktemp)
    # The killall script finds the pods by the directory that their processes were started from.
    if [ -n "$data" ] && [ "$data" != "$K3S_DATA" ] && [ -x "$ROOT/usr/local/bin/k3s-killall.sh" ]; then
      K3S_DATA_DIR=$data "$ROOT/usr/local/bin/k3s-killall.sh" >"$log" 2>&1 || true
    fi
    "$uninstall" >"$log" 2>&1 || note "$uninstall ended with an error: $(tail -n 1 "$log")"
    rm -f "$log"
  fi
  remove_remains "$(unit_of "$role")"
  # The uninstall script keeps the pods' logs and the node's password, with which a later join under the same name
  # would be refused. It removes a link, and leaves what the link led to.
  for path in /etc/rancher/node /etc/rancher/k3s /var/lib/rancher/k3s /var/log/pods /var/log/containers \
    /usr/local/bin/.k3s.piray-download; do
    clear_away "$ROOT$path"
  done
  if [ -n "$data" ]; then clear_away "$data"; fi
  give_back_found
  for path in /etc/rancher /var/lib/rancher; do
    if ! was_found "$path"; then rmdir "$ROOT$path" 2>/dev/null || true; fi
  done
  rm -f "$STATE/k3s" "$STATE/image" "$STATE/install.sh" "$K3S_FOUND" "$K3S_KEPT" "$K3S_OLD_CONFIG"
  if [ -d "$STATE" ]; then rmdir --ignore-fail-on-non-empty "$STATE"; fi
}

# owns_registries: is anything in registries.yaml the owner's?
owns_registries() {
  [ -n "$(owners_registries)" ]
}

# owners_registries: registries.yaml without our lines. Earlier versions wrote all of it, under a line that said so.
owners_registries() {
  [ -r "$REGISTRIES_FILE" ] || return 0
  [ "$(head -n 1 "$REGISTRIES_FILE")" != "# Managed by Pulumi; edits are overwritten." ] || return 0
  sed "/ $REGISTRIES_MARK\$/d" "$REGISTRIES_FILE"
}

# give_back_registries: takes our lines out of the owner's file; a file without any other line goes.
give_back_registries() {
  local own
  own=$(owners_registries)
  if [ -z "$own" ]; then
    rm -f "$REGISTRIES_FILE"
  elif grep -q " $REGISTRIES_MARK\$" "$REGISTRIES_FILE"; then
    printf '%s\n' "$own" | write_file "$REGISTRIES_FILE"
  fi
  rm -f "$ROOT/etc/rancher/k3s/piray-registry-ca.crt"
}

# clear_away <path>: removes it; of a mount it removes the contents.
clear_away() {
  if [ -d "$1" ] && [ ! -L "$1" ]; then
    # What is mounted below cannot be removed, and is not ours.
    find "$1" -mindepth 1 -depth -delete 2>/dev/null || true
    rmdir "$1" 2>/dev/null || true
  else
    rm -f "$1"
  fi
}

# note_found: writes down, once and before anything is installed, which of k3s's places the host has already.
note_found() {
  local path found='' config=$ROOT/etc/rancher/k3s/config.yaml
  mkdir -p "$STATE"
  rm -f "$K3S_KEPT"
  [ ! -e "$K3S_FOUND" ] || return 0
  # Its token would become the cluster's.
  if [ -f "$config" ]; then
    cp --preserve=all "$config" "$K3S_OLD_CONFIG"
    rm "$config"
  fi
  for path in /etc/rancher /etc/rancher/k3s /etc/rancher/node /var/lib/rancher /var/lib/rancher/k3s; do
    # A link, where it leads to, and all that is there.
    if [ -L "$ROOT$path" ]; then found+=${path#/}$'\n'; fi
    if [ -d "$ROOT$path" ]; then
      found+=$(find "$(readlink -f "$ROOT$path")" -printf '%p\n' | sed "s|^$ROOT/||")$'\n'
    fi
  done
  printf '%s' "$found" | sort -u | write_file "$K3S_FOUND" 600
}

# was_found <path>
was_found() {
  [ -r "$K3S_FOUND" ] && grep -q -x -F -- "${1#/}" "$K3S_FOUND"
}

# keep_found: what the host had before, and the owner's files beside config.yaml, in an archive.
keep_found() {
  local list path
  # An undo that was interrupted may have removed some of them already.
  [ ! -e "$K3S_KEPT" ] || return 0
  give_back_registries
  list=$(mktemp)
  while IFS= read -r path; do
    if [ -e "$ROOT/$path" ] || [ -L "$ROOT/$path" ]; then printf '%s\n' "$path"; fi
  done < <(
    if [ -r "$K3S_FOUND" ]; then grep -v -x -e etc/rancher/k3s/config.yaml -e etc/rancher/k3s/k3s.yaml "$K3S_FOUND" || true; fi
    if [ -d "$ROOT/etc/rancher/k3s" ]; then
      find -H "$ROOT/etc/rancher/k3s" -mindepth 1 ! -path "$ROOT/etc/rancher/k3s/config.yaml" \
        ! -path "$ROOT/etc/rancher/k3s/k3s.yaml" -printf 'etc/rancher/k3s/%P\n'
    fi
  ) >"$list"
  if [ -s "$list" ]; then
    sort -u -o "$list" "$list"
    tar --create --file=- --directory="$ROOT/" --no-recursion --files-from="$list" | write_file "$K3S_KEPT" 600 ||
      fail "the files that were here before k3s cannot be kept" "removing k3s would take them along" \
        "make room in /var/lib/piray, then run it again"
  fi
  rm -f "$list"
}

give_back_found() {
  if [ -s "$K3S_KEPT" ]; then
    tar --extract --file="$K3S_KEPT" --directory="$ROOT/" --preserve-permissions --same-owner --keep-directory-symlink
  fi
  if [ -e "$K3S_OLD_CONFIG" ]; then
    mkdir -p "$ROOT/etc/rancher/k3s"
    cp --preserve=all "$K3S_OLD_CONFIG" "$ROOT/etc/rancher/k3s/config.yaml"
  fi
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
