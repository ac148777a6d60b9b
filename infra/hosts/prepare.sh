# shellcheck shell=bash
# apply: checks the host, puts the cgroup options on the kernel command line, reboots if that is needed.
# undo: takes the options off again and removes every file of ours; the host is not rebooted.
# Variables: those of the checks (findings.sh). Standard output of apply: one line of JSON.

# Where the listener does not come back with a new boot, this many seconds later it is started again.
FALLBACK_S=300

# edit_command_line: appends MISSING to FILE. Backup and record come first, so that undo works whatever happens then.
edit_command_line() {
  local token added shown=${FILE#"$ROOT"} line=$LINE
  added=$(state_get command-line added)
  for token in "${MISSING[@]}"; do
    line+=" $token"
    case " $added " in *" $token "*) ;; *) added+="${added:+ }$token" ;; esac
  done
  if ! {
    mkdir -p "$STATE" &&
      { [ -e "$FILE.piray-backup" ] || write_file "$FILE.piray-backup" <"$FILE"; } &&
      printf 'file=%s\nadded=%s\n' "$shown" "$added" | write_file "$STATE/command-line" 600 &&
      printf '%s%s' "$line" "$END" | write_file "$FILE" &&
      sync -f "$FILE"
  } 2>"$ERRORS"; then
    forget_edit
    fail "cannot change $shown ($(tail -n 1 "$ERRORS"))" "it has to be writable, with some room on its partition" \
      "look at: mount | grep /boot; df -h /boot/firmware; then run make up again"
  fi
}

# forget_edit: an edit that failed before it changed anything leaves nothing behind.
forget_edit() {
  if [ -e "$FILE.piray-backup" ] && ! cmp -s "$FILE" "$FILE.piray-backup"; then return; fi
  rm -f "$FILE.piray-backup" "$STATE/command-line"
  if [ -d "$STATE" ]; then rmdir --ignore-fail-on-non-empty "$STATE"; fi
}

# reboot_soon: closes the door, so that the next connection finds the new boot, and asks for the reboot. This session
# lives on: Debian and Ubuntu stop the SSH listener alone (KillMode=process) and keep sessions in scopes of their own.
reboot_soon() {
  local unit listeners=()
  for unit in ssh.socket sshd.socket dropbear.socket ssh.service sshd.service dropbear.service; do
    if systemctl is-active --quiet "$unit"; then listeners+=("$unit"); fi
  done
  systemctl stop piray-listener.timer piray-reboot.timer >/dev/null 2>&1 || true
  systemctl reset-failed piray-listener.service piray-reboot.service >/dev/null 2>&1 || true
  if ((${#listeners[@]})) && session_survives "${listeners[@]}"; then
    if systemd-run --quiet --unit=piray-listener --on-active="$FALLBACK_S" systemctl start "${listeners[@]}" 1>&2; then
      systemctl stop "${listeners[@]}" 1>&2
    fi
  fi
  sync
  if ! systemd-run --quiet --unit=piray-reboot --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot 1>&2; then
    if ((${#listeners[@]})); then systemctl start "${listeners[@]}" 1>&2 || true; fi
    fail "systemd-run could not schedule the reboot" "the new kernel options need one" \
      "run: sudo systemctl reboot; then run make up again"
  fi
}

# session_survives <unit>...: is this very process outside of the listeners' services, or spared when they stop?
session_survives() {
  local unit
  for unit in "$@"; do
    if grep -qs "/$unit\$" "$ROOT/proc/self/cgroup" &&
      [ "$(systemctl show --property=KillMode --value "$unit")" != process ]; then
      return 1
    fi
  done
}

# keep_options: writes our options where a hook takes them from when it writes FILE anew. What is recorded is what the
# file lacked; without a file of its own there before, undo removes it.
keep_options() {
  local token added line='' before=absent shown=${LASTING#"$ROOT"}
  if [ -e "$LASTING" ]; then
    before=there
    line=$(cat "$LASTING")
  fi
  added=$(state_get lasting-options added)
  if [ -n "$added" ]; then before=$(state_get lasting-options before); fi
  missing_tokens "$line"
  ((${#MISSING[@]})) || return 0
  for token in "${MISSING[@]}"; do
    line+="${line:+ }$token"
    case " $added " in *" $token "*) ;; *) added+="${added:+ }$token" ;; esac
  done
  mkdir -p "$STATE" "$(dirname "$LASTING")"
  printf 'file=%s\nadded=%s\nbefore=%s\n' "$shown" "$added" "$before" | write_file "$STATE/lasting-options" 600
  printf '%s\n' "$line" | write_file "$LASTING"
}

# install_modules: the package that holds the kernel modules which are missing. Says whether the running kernel has
# them now: the package is for the newest one.
install_modules() {
  local log module
  log=$(mktemp)
  mkdir -p "$STATE"
  printf 'installed=%s\n' "$MODULES_PACKAGE" | write_file "$STATE/packages" 600
  if ! { apt_install "$MODULES_PACKAGE" || { apt-get update && apt_install "$MODULES_PACKAGE"; }; } >"$log" 2>&1; then
    rm -f "$STATE/packages"
    rmdir --ignore-fail-on-non-empty "$STATE"
    module=$(tail -n 1 "$log")
    rm -f "$log"
    fail "cannot install $MODULES_PACKAGE ($module)" "it holds kernel modules that the network of the pods needs" \
      "run: sudo apt-get update && sudo apt-get install $MODULES_PACKAGE; then run make up again"
  fi
  rm -f "$log"
  for module in "${MODULES[@]}"; do module_there "$module" || return 1; done
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "$@"
}

apply() {
  local rebooting=false
  ERRORS=$(mktemp)
  trap 'rm -f "$ERRORS"' EXIT
  run_checks
  refuse_errors
  if [ -n "$MODULES_PACKAGE" ]; then install_modules || rebooting=true; fi
  if [ -n "$FILE" ]; then
    if ((${#MISSING[@]})); then
      edit_command_line
      rebooting=true
    elif ! { controller_enabled memory && controller_enabled cpuset; }; then
      # The file is right and the running kernel was booted without it. Where it was booted with it, another
      # reboot would change nothing: verify.sh says what is wrong.
      missing_tokens "$(cat "$ROOT/proc/cmdline")"
      if ((${#MISSING[@]})); then rebooting=true; fi
    fi
    if [ -n "$LASTING" ]; then keep_options; fi
  fi
  local answer
  answer=$(printf '{"hostname":%s,"boot_id":%s,"machine_id":%s,"rebooting":%s,"checked":%d,"warnings":%s}' \
    "$(json_string "$(hostname)")" "$(json_string "$(boot_id)")" "$(json_string "$(machine_id)")" "$rebooting" \
    "$(right_time)" "$(findings_json warning)")
  if [ "$rebooting" = true ]; then reboot_soon; fi
  printf '%s\n' "$answer"
}

# strip_token <token>: takes the token's last occurrence, with the white space before it, out of LINE.
strip_token() {
  local padded="$LINE " pattern="^(.*[[:space:]])?$1([[:space:]].*)\$"
  [[ $padded =~ $pattern ]] || return 0
  local before=${BASH_REMATCH[1]} after=${BASH_REMATCH[2]}
  if [ -n "$before" ]; then padded=${before%?}$after; else padded=${after#?}; fi
  LINE=${padded%?}
}

restore_command_line() {
  local token shown
  shown=$(state_get command-line file)
  [ -n "$shown" ] || return 0
  FILE=$ROOT$shown
  if [ -f "$FILE" ]; then
    if ! read_line; then
      note "$shown is left alone: it is no longer one line of options; its backup is $shown.piray-backup"
      rm -f "$STATE/command-line"
      return 0
    fi
    local before=$LINE
    for token in $(state_get command-line added); do strip_token "$token"; done
    if [ "$LINE" != "$before" ]; then
      printf '%s%s' "$LINE" "$END" | write_file "$FILE" 2>"$ERRORS" ||
        fail "cannot change $shown ($(tail -n 1 "$ERRORS"))" "our kernel options are to be taken out of it" \
          "remount its partition for writing (sudo mount -o remount,rw /boot/firmware), then run it again"
      note "$shown is as before; the running kernel keeps the options until the next boot"
    fi
  fi
  rm -f "$FILE.piray-backup" "$STATE/command-line"
  sync
}

# forget_options: takes our options out of the file that the hook reads.
forget_options() {
  local token file before
  file=$(state_get lasting-options file)
  [ -n "$file" ] || return 0
  file=$ROOT$file
  if [ -e "$file" ]; then
    LINE=$(cat "$file")
    before=$LINE
    for token in $(state_get lasting-options added); do strip_token "$token"; done
    if [ -z "$LINE" ] && [ "$(state_get lasting-options before)" = absent ]; then
      rm -f "$file"
    elif [ "$LINE" != "$before" ]; then
      printf '%s\n' "$LINE" | write_file "$file"
    fi
  fi
  rm -f "$STATE/lasting-options"
}

remove_packages() {
  local package
  package=$(state_get packages installed)
  [ -n "$package" ] || return 0
  DEBIAN_FRONTEND=noninteractive apt-get purge --yes -o DPkg::Lock::Timeout=300 "$package" >/dev/null 2>&1 ||
    note "$package could not be removed; it does no harm"
  rm -f "$STATE/packages"
}

undo() {
  ERRORS=$(mktemp)
  trap 'rm -f "$ERRORS"' EXIT
  # A k3s install that failed half-way is in nobody's state, so nobody else removes it.
  remove_k3s
  restore_command_line
  forget_options
  remove_packages
  if [ -d "$STATE" ]; then rmdir --ignore-fail-on-non-empty "$STATE"; fi
}

main() {
  alone
  "$1"
}
