# shellcheck shell=bash
# The Ray image on a host that runs k3s. Actions: look (what is there), receive (an archive on standard input, from where
# an earlier one ended), pull (from the other Nodes or a registry, as registries.yaml says), keep (pin it, let older go).
# Variables: HOST, IMAGE (with its registry), SIZE, SHA256 (of the archive; 0 and empty where there is none).
# Standard output: one line of JSON.

K3S_DATA=$ROOT/var/lib/rancher/k3s
CTR=("$ROOT/usr/local/bin/k3s" ctr --namespace k8s.io)
# Beside the directory that k3s imports from, on the same partition.
ARCHIVE=$K3S_DATA/agent/.piray-delivery-$SHA256
# The kubelet's garbage collection leaves what has it.
PINNED=io.cri-containerd.pinned

# is_there: is the image there and unpacked?
is_there() {
  "${CTR[@]}" images check "name==$IMAGE" 2>/dev/null | awk -v image="$IMAGE" '$1 == image && $NF == "true" { found = 1 } END { exit !found }'
}

size_of() {
  stat --format=%s "$1" 2>/dev/null || echo 0
}

look() {
  local there=false free received=0
  if is_there; then there=true; fi
  # mawk, which Debian has, knows whole numbers of 32 bits only.
  free=$(df -Pk "$K3S_DATA" | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')
  if [ -n "$SHA256" ]; then received=$(size_of "$ARCHIVE"); fi
  printf '{"there":%s,"received":%s,"free":%s}\n' "$there" "$received" "$free"
}

receive() {
  local old came sum
  for old in "$K3S_DATA"/agent/.piray-delivery-*; do
    if [ "$old" != "$ARCHIVE" ]; then rm -f "$old"; fi
  done
  if ! cat >>"$ARCHIVE"; then
    fail "the archive of $IMAGE cannot be written" "it is $SIZE bytes" "make room on the host; then run make up again"
  fi
  came=$(size_of "$ARCHIVE")
  if ((came < SIZE)); then
    fail "the connection ended after $came of $SIZE bytes" "what has come is kept" "run make up again: it goes on from there"
  fi
  sum=$(sum_of "$ARCHIVE")
  if [ "$sum" != "$SHA256" ]; then
    rm -f "$ARCHIVE"
    fail "the archive of $IMAGE came with the SHA-256 $sum" "on your machine it is $SHA256" "run make up again: it is sent anew"
  fi
  load
  rm -f "$ARCHIVE"
  printf '{}\n'
}

load() {
  local said
  if [ "$(head -c 2 "$ARCHIVE" | od -An -tx1 | tr -d ' \n')" = 1f8b ]; then
    said=$(gzip --decompress --stdout "$ARCHIVE" | "${CTR[@]}" images import - 2>&1) || not_loaded "$said"
  else
    said=$("${CTR[@]}" images import "$ARCHIVE" 2>&1) || not_loaded "$said"
  fi
  is_there || not_loaded "it holds another image"
}

not_loaded() {
  rm -f "$ARCHIVE"
  fail "containerd does not take the archive of $IMAGE: ${1##*$'\n'}" "the pods need it" \
    "if there is no room, make some; else make the archive anew; then run make up again"
}

pull() {
  local said
  if ! is_there; then
    said=$("${CTR[@]}" images pull --hosts-dir "$K3S_DATA/agent/etc/containerd/certs.d" "$IMAGE" 2>&1) ||
      fail "it cannot get $IMAGE (${said##*$'\n'})" "the other Nodes are asked for it, and then its registry" \
        "check piray:ray.image, and the way to the registry; then run make up again"
  fi
  printf '{}\n'
}

keep() {
  local current previous
  current=$(state_get image current)
  previous=$(state_get image previous)
  "${CTR[@]}" images label "$IMAGE" "$PINNED=pinned" >/dev/null
  if [ "$current" != "$IMAGE" ]; then
    # The one before stays a while: pods of it may still run, and it is the way back.
    if [ -n "$current" ]; then "${CTR[@]}" images label "$current" "$PINNED=" >/dev/null 2>&1 || true; fi
    if [ -n "$previous" ] && [ "$previous" != "$IMAGE" ]; then
      "${CTR[@]}" images remove "$previous" >/dev/null 2>&1 || true
    fi
    printf 'current=%s\nprevious=%s\n' "$IMAGE" "$current" | write_file "$STATE/image" 600
  fi
  printf '{}\n'
}

main() {
  alone
  mkdir -p "$STATE" "$K3S_DATA/agent"
  "$1"
}
