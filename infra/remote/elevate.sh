# shellcheck shell=bash
# The first thing that bash reads, as the user who logs in: what follows on the standard input is for the bash of
# root. Bash reads a pipe byte by byte, so nothing of it is lost. Variables: HOST, SUDO_PASSWORD (empty for none).
# The password goes over pipes alone: printf is part of bash, so that no process has it among its arguments.

# cannot_elevate <what> <remedy>
cannot_elevate() {
  echo "piray: $HOST: $1; every step runs as root; $2; then run make up again" >&2
  exit 1
}

# refuse_password <user> <what sudo says>: nothing that sudo says holds the password.
refuse_password() {
  case $2 in
    *sudoers* | *"not allowed"* | *"may not run"*)
      cannot_elevate "user $1 may not run commands as root with sudo" \
        "log in with a user who may (piray:ssh.user), or run as root on the host: usermod --append --groups sudo $1" ;;
    *" tty"*)
      cannot_elevate "sudo wants a terminal (requiretty)" "take Defaults requiretty out of /etc/sudoers on the host (sudo visudo)" ;;
    *xpired*) cannot_elevate "the password of user $1 has expired" "log in by hand and choose another one" ;;
    *ncorrect* | *"try again"* | *"uthentication failed"*)
      cannot_elevate "the password that piray has for sudo is not that of user $1" \
        "store the right one on your machine (it asks for it): pulumi config set --secret piray:sudoPassword --stack STACK" ;;
    *) cannot_elevate "sudo refuses user $1: ${2##*$'\n'}" "try on the host: sudo -k true" ;;
  esac
}

# ask_for_password <user> <what sudo says>: the words for a host that wants a password, where there is none.
ask_for_password() {
  local free
  case $2 in *password* | *interactive*) ;; *) refuse_password "$1" "$2" ;; esac
  free="sudo visudo -f /etc/sudoers.d/010_$1-nopasswd and add the line: $1 ALL=(ALL) NOPASSWD: ALL"
  # Older ones do not know it.
  if grep -qs do_sudo_pass "$(command -v raspi-config)"; then free="sudo raspi-config nonint do_sudo_pass 1"; fi
  cannot_elevate "user $1 may not run sudo without a password" \
    "either store the password on your machine (it asks for it): pulumi config set --secret piray:sudoPassword --stack STACK; or let sudo ask for none, on the host: $free"
}

[ "$(id -u)" = 0 ] || {
  LOGIN=$(id -un)
  command -v sudo >/dev/null 2>&1 || cannot_elevate "sudo is not installed" \
    "on the host run as root: apt-get install sudo && usermod --append --groups sudo $LOGIN"
  # The very command that is to run: a user may be free to run some without a password.
  if SAID=$(LC_ALL=C sudo -n bash -c true </dev/null 2>&1); then exec sudo -n bash -s -- "$@"; fi
  [ -n "$SUDO_PASSWORD" ] || ask_for_password "$LOGIN" "$SAID"
  # Tried alone first: sudo would take what follows a wrong password for a second and a third one. -k lets it forget
  # an earlier login and note none, so that it asks each time, whatever timestamp_timeout says.
  SAID=$(printf '%s\n' "$SUDO_PASSWORD" | LC_ALL=C sudo -k -S -p '' bash -c true 2>&1) || refuse_password "$LOGIN" "$SAID"
  # A sudo that does not ask after all would leave the password unread: root's bash skips it.
  # shellcheck disable=SC2016 # for that bash
  {
    printf '%s\npiray-begin\n' "$SUDO_PASSWORD"
    exec cat
  } | sudo -k -S -p '' bash -c \
    'while IFS= read -r line; do if [ "$line" = piray-begin ]; then exec bash -s -- "$@"; fi; done; exit 1' bash "$@"
  exit
}
