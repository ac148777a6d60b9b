# shellcheck shell=bash
# install_images: archives of container images from the mirror, where k3s reads them when it starts. Part of k3s.sh.
# Variables: IMAGES_URL (the release's archive on the mirror, without its compression; empty without a mirror),
# IMAGE_SUMS_URL (the mirror's own archives: their list of sums; empty without a mirror), IMAGE_ARCHIVES (names of the
# archives that the mirror may have of other images, without their compression, one word each), HUB_URL.
# https://docs.k3s.io/installation/airgap?airgap-load-images=Manually+Deploy+Images

IMAGES_DIR=$K3S_DATA/agent/images
# Beside the directory that k3s watches, on the same partition.
IMAGE_DOWNLOAD=$K3S_DATA/agent/.piray-image-download
COMPRESSIONS=(.zst .gz '')

# install_images: sets IMAGES, which changes with what is imported and is empty where nothing is.
install_images() {
  IMAGES=''
  if [ -n "$IMAGES_URL" ]; then install_release_images; fi
  if [ -n "$IMAGE_SUMS_URL" ]; then install_other_images; fi
}

install_release_images() {
  if is_installed images "$VERSION"; then return; fi
  if [ ! -e "$WORK/sums" ]; then fetch "$SUMS_URL" "$WORK/sums" "the list of sums of k3s $VERSION"; fi
  install_archive images "$VERSION" "$IMAGES_URL" "$WORK/sums"
  # A registry of the owner's own, or a way to the internet: k3s gets them there.
  if [ -n "$IMAGES" ] || owns_registries || reachable "$HUB_URL"; then return; fi
  fail "the mirror has no $IMAGES_URL.zst, and $HUB_URL does not answer" \
    "without the images of k3s no pod can start" "put the archive into the mirror: piray mirror DIR does so"
}

install_other_images() {
  local key=image-archive name
  for name in $IMAGE_ARCHIVES; do
    install_other_image "$key" "$name"
    key+=-next
  done
}

install_other_image() {
  if is_installed "$1" "$2"; then return; fi
  if [ -e "$WORK/image-sums" ] ||
    fetch_if_there "$IMAGE_SUMS_URL" "$WORK/image-sums" "the list of sums of the mirror's images"; then
    install_archive "$1" "$2" "${IMAGE_SUMS_URL%/*}/$2" "$WORK/image-sums"
  fi
}

# is_installed <key> <what>: is it what the last run installed, and is the file whole? Adds it to IMAGES.
is_installed() {
  local what name sum
  read -r what name sum <<<"$(state_get k3s "$1")"
  [ "$what" = "$2" ] && [ "$(sum_of "$IMAGES_DIR/$name")" = "$sum" ] || return 1
  IMAGES+=" $sum"
}

# install_archive <key> <what> <url without compression> <list of sums>: does nothing where the mirror has no such file.
install_archive() {
  local suffix name wanted url
  mkdir -p "$IMAGES_DIR"
  for suffix in "${COMPRESSIONS[@]}"; do
    url=$3$suffix
    wanted=$(listed_sum "$4" "${url##*/}")
    if [ -z "$wanted" ]; then continue; fi
    name=piray-${url##*/}
    if [ "$(sum_of "$IMAGES_DIR/$name")" != "$wanted" ]; then
      if ! fetch_if_there "$url" "$IMAGE_DOWNLOAD" "an archive of images"; then continue; fi
      place_archive "$url" "$name" "$wanted"
    fi
    forget_archive "$1" "$name"
    record "$1" "$2 $name $wanted"
    IMAGES+=" $wanted"
    return
  done
}

# place_archive <url> <name> <sum>
place_archive() {
  local got
  got=$(sum_of "$IMAGE_DOWNLOAD")
  if [ "$got" != "$3" ]; then
    rm -f "$IMAGE_DOWNLOAD"
    fail "$1 has the SHA-256 $got" "the list of sums on the mirror says $3" \
      "repair the mirror (piray mirror DIR), then run make up again; nothing was replaced"
  fi
  sync "$IMAGE_DOWNLOAD"
  mv -f -T "$IMAGE_DOWNLOAD" "$IMAGES_DIR/$2"
}

# forget_archive <key> <name>: removes what the last run installed under another name.
forget_archive() {
  local old
  read -r _ old _ <<<"$(state_get k3s "$1")"
  if [ -n "$old" ] && [ "$old" != "$2" ]; then rm -f "$IMAGES_DIR/$old"; fi
}

# listed_sum <list> <name>: empty where the list has no sum for it.
listed_sum() {
  local sum
  sum=$(awk -v name="$2" '$2 == name { print $1; exit }' "$1")
  if [[ $sum =~ ^[0-9a-f]{64}$ ]]; then printf '%s' "$sum"; fi
}

# reachable <url>: does anything answer there?
reachable() {
  curl --silent --head --output /dev/null --connect-timeout 10 --max-time 20 "$1"
}
