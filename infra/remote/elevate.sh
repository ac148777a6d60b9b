# shellcheck shell=bash
# The first thing that bash reads, as the user who logs in: what follows on the standard input is for the bash of
# root. Bash reads a pipe byte by byte, so nothing of it is lost. Variables: HOST.

[ "$(id -u)" = 0 ] || {
  sudo -n true </dev/null >/dev/null 2>&1 || {
    user=$(id -un)
    echo "piray: $HOST: user $user may not run sudo without a password; every step runs as root; on the host run" \
      "sudo visudo -f /etc/sudoers.d/010_$user-nopasswd and add the line: $user ALL=(ALL) NOPASSWD: ALL" >&2
    exit 1
  }
  exec sudo -n bash -s -- "$@"
}
