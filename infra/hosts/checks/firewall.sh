# shellcheck shell=bash
# Firewalls, which let nodes wait for each other for ever. The ports: https://docs.k3s.io/installation/requirements

CHECKS+=(check_ufw check_firewalld check_input_policy)

# needed_ports: what other nodes reach this host by.
needed_ports() {
  printf '8472/udp 10250/tcp'
  if [ "$ROLE" != agent ]; then printf ' 6443/tcp'; fi
  if [ "$ROLE" != agent ] && [ "$SERVERS" != 1 ]; then printf ' 2379:2380/tcp'; fi
}

# lan: the network of the host's address, as a firewall's rule takes it.
lan() {
  local mask
  if [ -n "$INTERFACE" ] && [[ $ADDRESS != *:* ]]; then
    mask=$((0xFFFFFFFF << (32 - PREFIX) & 0xFFFFFFFF & $(number "$ADDRESS")))
    printf '%d.%d.%d.%d/%d' $((mask >> 24)) $((mask >> 16 & 255)) $((mask >> 8 & 255)) $((mask & 255)) "$PREFIX"
  else
    printf 'THE_NETWORK_OF_YOUR_PIS'
  fi
}

# holds <networks or addresses> <network>: is the whole network in one of them?
holds() {
  local source
  for source in $1; do
    [[ $source =~ ^[0-9.]+(/[0-9]+)?$ ]] || continue
    [[ $source == */* ]] || source+=/32
    if ((${source#*/} <= ${2#*/})) && overlap "$source" "$2"; then return 0; fi
  done
  return 1
}

# blocked <sources from which anything may come> <ports that are open>: what is needed and not let in.
blocked() {
  local port network missing=''
  if ! holds "$1" "$(lan)"; then
    for port in $(needed_ports); do
      grep -qE "(^|[ ,])(${port/:/[:-]}|${port%/*})([ ,]|\$)" <<<"$2" || missing+="${missing:+, }$port"
    done
  fi
  for network in "${CLUSTER_NETWORKS[@]}"; do
    holds "$1" "$network" || missing+="${missing:+, }everything from $network"
  done
  printf '%s' "$missing"
}

# tell_blocked <firewall> <what is missing> <sources from which anything may come> <remedy>: the other hosts may be let
# in one by one, and then this host cannot know whether all of them are.
tell_blocked() {
  local source say=error
  [ -n "$2" ] || return 0
  for source in $3; do
    if [[ $source =~ ^[0-9.]+$ ]] && overlap "$source/32" "$(lan)"; then say=warning; fi
  done
  "$say" firewall "the firewall $1 is on and does not let in: $2" \
    "the nodes and pods of the cluster reach each other by these ports" "$4"
}

check_ufw() {
  local rules sources status=0
  rules=$(ufw status 2>/dev/null) || status=$?
  if ((status)); then
    # It tells nothing to who is not root.
    if grep -qs '^ENABLED=yes' "$ROOT/etc/ufw/ufw.conf"; then
      warning firewall "the firewall ufw is on" "its rules can only be read by root" "run: sudo ufw status"
    fi
    return
  fi
  grep -q '^Status: active' <<<"$rules" || return 0
  rules=$(grep -w ALLOW <<<"$rules")
  sources=$(sed -nE 's/^Anywhere +ALLOW( IN)? +//p' <<<"$rules" | sed 's|^Anywhere.*|0.0.0.0/0|')
  tell_blocked ufw "$(blocked "$sources" "$rules")" "$sources" \
    "run: sudo ufw allow from $(lan); sudo ufw allow from 10.42.0.0/16; sudo ufw allow from 10.43.0.0/16 (or: sudo ufw disable)"
}

check_firewalld() {
  local zone ports sources
  systemctl is-active --quiet firewalld 2>/dev/null || return 0
  [ "$(firewall-cmd --state 2>/dev/null)" = running ] || return 0
  zone=$(firewall-cmd --get-zone-of-interface="$INTERFACE" 2>/dev/null || firewall-cmd --get-default-zone 2>/dev/null || true)
  if [ "$zone" = trusted ]; then return; fi
  ports=$(firewall-cmd ${zone:+--zone="$zone"} --list-ports 2>/dev/null || true)
  sources=$(firewall-cmd --zone=trusted --list-sources 2>/dev/null || true)
  tell_blocked firewalld "$(blocked "$sources" "$ports")" "$sources" \
    "run: for net in $(lan) 10.42.0.0/16 10.43.0.0/16; do sudo firewall-cmd --permanent --zone=trusted --add-source=\$net; done; sudo firewall-cmd --reload"
}

# check_input_policy: rules of other programs cannot be read as surely as those of ufw and firewalld.
check_input_policy() {
  ufw status 2>/dev/null | grep '^Status: active' >/dev/null && return
  systemctl is-active --quiet firewalld 2>/dev/null && return
  if iptables -S INPUT 2>/dev/null | grep -x -- '-P INPUT DROP' >/dev/null ||
    nft list chains 2>/dev/null | grep -E 'hook input .*policy drop' >/dev/null; then
    warning firewall "a firewall of the host drops what no rule lets in" \
      "the nodes reach each other by $(needed_ports), and pods come from ${CLUSTER_NETWORKS[*]}" \
      "look at its rules: sudo nft list ruleset, and let these in"
  fi
}
