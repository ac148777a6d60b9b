# shellcheck shell=bash
# write_registries: the image's registry in registries.yaml, beside what the owner has there. Part of k3s.sh.
# Variables: REGISTRY (as images name it), REGISTRY_MIRROR and REGISTRY_CONFIG (its lines below `mirrors` and `configs`,
# without indentation; the second one may be empty), REGISTRY_NEEDED (1 where the image cannot be had without these lines,
# 0 where the Nodes only give each other the image by them), REGISTRY_CA (its own authority, PEM text; empty for none).
# Every line of ours ends with a mark, so that the owner's lines stay his, also those that he adds later.
# https://docs.k3s.io/installation/private-registry

REGISTRY_CA_FILE=$ROOT/etc/rancher/k3s/piray-registry-ca.crt

# check_registries: notes a reason to refuse a file of the owner's in which no line can be put.
check_registries() {
  local section own
  [ "$REGISTRY_NEEDED" = 1 ] || return 0
  own=$(owners_registries)
  for section in mirrors configs; do
    if [ "$section" = configs ] && [ -z "$REGISTRY_CONFIG" ]; then continue; fi
    if names_registry "$own" "$section"; then continue; fi
    # A line that has it may be any: what it says there is the owner's matter.
    if is_closed "$own" "$section" && ! grep -q -F -- "$REGISTRY" <<<"$own"; then
      problem "${REGISTRIES_FILE#"$ROOT"} is yours and has $section in one line" "piray adds $REGISTRY with a line of its own" \
        "write each entry of $section on a line below it; then run make up again"
    fi
  done
}

# is_closed <text of registries.yaml> <section>: is it there in a form that takes no line of ours?
is_closed() {
  grep -q -E "^[\"']?$2[\"']? *:" <<<"$1" && ! grep -q -E "^$2: *(#.*)?\$" <<<"$1"
}

# names_registry <text of registries.yaml> <section>: does the owner say himself what holds for the registry?
names_registry() {
  awk -v section="$2" -v registry="$REGISTRY" '
    /^[^ #]/ { inside = index($0, section ":") == 1 }
    inside && /^ / {
      key = $0; sub(/^ +/, "", key); sub(/: *(\{.*\}|#.*)?$/, "", key); gsub(/["\x27]/, "", key)
      if (key == registry) found = 1
    }
    END { exit !found }' <<<"$1"
}

write_registries() {
  local text
  write_registry_ca
  text=$(owners_registries)
  text=$(with_entry "$text" mirrors "$REGISTRY_MIRROR")
  text=$(with_entry "$text" configs "$REGISTRY_CONFIG")$'\n'
  if [ -e "$REGISTRIES_FILE" ] && cmp -s <(printf '%s' "$text") "$REGISTRIES_FILE"; then return; fi
  printf '%s' "$text" | write_file "$REGISTRIES_FILE" 600
}

write_registry_ca() {
  if [ -z "$REGISTRY_CA" ]; then
    rm -f "$REGISTRY_CA_FILE"
  elif ! cmp -s <(printf '%s' "$REGISTRY_CA") "$REGISTRY_CA_FILE"; then
    printf '%s' "$REGISTRY_CA" | write_file "$REGISTRY_CA_FILE" 644
  fi
}

# with_entry <text> <section> <line>: the text with our line in a section, which is made where there is none.
with_entry() {
  if [ -z "$3" ] || names_registry "$1" "$2" || is_closed "$1" "$2"; then
    printf '%s\n' "$1"
  elif grep -q -E "^$2: *(#.*)?\$" <<<"$1"; then
    # As far to the right as the owner's first entry.
    awk -v section="$2" -v line="$3 $REGISTRIES_MARK" '
      !done && $0 ~ "^" section ": *(#.*)?$" { head = $0; waiting = 1; next }
      waiting && /^ *(#.*)?$/ { held = held $0 "\n"; next }
      waiting { match($0, /^ */); print head; printf "%*s%s\n", RLENGTH ? RLENGTH : 2, "", line; printf "%s", held
        waiting = 0; done = 1; held = "" }
      { print }
      END { if (waiting) { print head; print "  " line; printf "%s", held } }' <<<"$1"
  else
    printf '%s%s: %s\n  %s %s\n' "${1:+$1$'\n'}" "$2" "$REGISTRIES_MARK" "$3" "$REGISTRIES_MARK"
  fi
}
