# shellcheck shell=bash
# Shared by every script that runs on a host. Each of them arrives on the standard input of bash as: variable
# assignments, this file, the script, and a last line that calls main, so a cut connection runs nothing at all.
# ROOT stands before every path: empty on a host, a directory with a fake host in the tests.

set -euo pipefail
export LC_ALL=C
umask 022
# A login by SSH may lack the administrator's directories; those of the caller come first.
export PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# k3s's own kubeconfig whatever the environment says, and a cache that goes away with k3s.
export KUBECONFIG=$ROOT/etc/rancher/k3s/k3s.yaml
export KUBECACHEDIR=$ROOT/var/lib/rancher/k3s/piray-kubectl-cache

STATE=$ROOT/var/lib/piray

problems=()

# problem <what> <rule> <remedy>: notes a reason to refuse.
problem() {
  problems+=("piray: $HOST: $1; $2; $3")
}

# refuse_problems: ends the script when there are any, all of them on standard error.
refuse_problems() {
  ((${#problems[@]} == 0)) && return
  printf '%s\n' "${problems[@]}" >&2
  exit 1
}

# fail <what> <rule> <remedy>
fail() {
  problem "$@"
  refuse_problems
}

# note <text>: information for whoever reads the standard error.
note() {
  printf 'piray: %s: %s\n' "$HOST" "$1" >&2
}

# alone: waits until no other step of ours is at work on the host. One whose connection broke goes on to its end, and
# the next one would meet it half-way. Locks a directory, so that no file is left.
alone() {
  exec 9<"$ROOT/run"
  flock --wait 900 9 ||
    fail "an earlier step of piray is still at work after 15 minutes" "two at once would undo each other's work" \
      "run: sudo pkill -f 'bash -s --'; then run make up again"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

# write_file <path> [mode]: standard input to a file, whole or not at all. Without a mode an existing file keeps its
# owner and permissions. The temporary file lies beside the target: a rename is atomic only inside a partition.
write_file() {
  local path=$1 mode=${2:-} temp
  temp=$(mktemp "$path.piray-XXXXXX") || return 1
  if cat >"$temp" && set_mode "$temp" "$path" "$mode" && sync "$temp" && mv -f -T "$temp" "$path"; then
    sync "$(dirname "$path")"
    return
  fi
  rm -f "$temp"
  return 1
}

set_mode() {
  local temp=$1 path=$2 mode=$3
  if [ -n "$mode" ]; then
    chmod "$mode" "$temp"
  elif [ -e "$path" ]; then
    # vfat knows neither owners nor most permissions and refuses to change them.
    chmod --reference="$path" "$temp" 2>/dev/null || true
    chown --reference="$path" "$temp" 2>/dev/null || true
  fi
}

# state_get <file> <key>: value of a `key=value` line of our own state, empty when there is none.
state_get() {
  [ -r "$STATE/$1" ] || return 0
  sed -n "s/^$2=//p" "$STATE/$1"
}

# sum_of <file>: SHA-256 in hex, empty when the file cannot be read.
sum_of() {
  [ -r "$1" ] || return 0
  sha256sum <"$1" | cut -d' ' -f1
}

# json_string <text>: text as a quoted JSON string.
json_string() {
  local text=$1 i char code
  text=${text//\\/\\\\}
  text=${text//\"/\\\"}
  text=${text//$'\n'/\\n}
  text=${text//$'\r'/\\r}
  text=${text//$'\t'/\\t}
  for ((i = 1; i < 32; i++)); do
    printf -v code '%03o' "$i"
    printf -v char '%b' "\\0$code"
    printf -v code '\\u%04x' "$i"
    text=${text//"$char"/"$code"}
  done
  printf '"%s"' "$text"
}

boot_id() {
  cat "$ROOT/proc/sys/kernel/random/boot_id"
}

machine_id() {
  cat "$ROOT/etc/machine-id" 2>/dev/null || true
}

# kernel_tokens <command line>: one token a line, split as the kernel does: double quotes protect white space.
# https://github.com/torvalds/linux/blob/master/lib/cmdline.c (next_arg)
kernel_tokens() {
  local line=$1 token='' char i quoted=0
  for ((i = 0; i < ${#line}; i++)); do
    char=${line:i:1}
    if [ "$char" = '"' ]; then quoted=$((1 - quoted)); fi
    if ((quoted == 0)) && [[ $char == [[:space:]] ]]; then
      if [ -n "$token" ]; then printf '%s\n' "$token"; fi
      token=''
    else
      token+=$char
    fi
  done
  if [ -n "$token" ]; then printf '%s\n' "$token"; fi
}

# token_counts <token> <command line>: is the token there, with nothing after it that takes it back?
# The last of cgroup_enable= and cgroup_disable= wins; both take a list. https://github.com/raspberrypi/linux/issues/6980
token_counts() {
  local wanted=$1 controller=memory counts=1 token
  if [ "$wanted" = cgroup_enable=cpuset ]; then controller=cpuset; fi
  while IFS= read -r token; do
    case $token in
      cgroup_enable=*)
        if [ "$wanted" = "cgroup_enable=$controller" ] && listed "$controller" "${token#*=}"; then counts=0; fi ;;
      cgroup_disable=*) if listed "$controller" "${token#*=}"; then counts=1; fi ;;
      cgroup_memory=*)
        if [ "$token" = "$wanted" ]; then counts=0; elif [ "${wanted%%=*}" = cgroup_memory ]; then counts=1; fi ;;
    esac
  done < <(kernel_tokens "$2")
  return "$counts"
}

listed() {
  [[ ",$2," == *",$1,"* ]]
}

# disabled_last <controller> <command line>: is cgroup_disable= the last word on the controller?
disabled_last() {
  local token disabled=1
  while IFS= read -r token; do
    case $token in
      cgroup_enable=*) if listed "$1" "${token#*=}"; then disabled=1; fi ;;
      cgroup_disable=*) if listed "$1" "${token#*=}"; then disabled=0; fi ;;
    esac
  done < <(kernel_tokens "$2")
  return "$disabled"
}

# cgroup_version: 2 where the unified hierarchy is the root of /sys/fs/cgroup, else 1 (hybrid included).
cgroup_version() {
  if [ -e "$ROOT/sys/fs/cgroup/cgroup.controllers" ]; then echo 2; else echo 1; fi
}

# controller_enabled <name>. /proc/cgroups does not list memory on version 2 without CONFIG_MEMCG_V1.
controller_enabled() {
  if [ "$(cgroup_version)" = 2 ]; then
    grep -qw -- "$1" "$ROOT/sys/fs/cgroup/cgroup.controllers"
  else
    awk -v name="$1" '$1 == name && $4 == 1 { found = 1 } END { exit !found }' "$ROOT/proc/cgroups"
  fi
}
