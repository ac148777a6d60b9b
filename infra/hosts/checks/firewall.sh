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

# blocked <lines of allowed things>: what is needed and not among them; nothing where anything may come in.
blocked() {
  local rules=$1 port missing='' network
  if grep -qwF "$(lan)" <<<"$rules" || grep -qE '^(Anywhere|0\.0\.0\.0/0) +ALLOW( IN)? +Anywhere' <<<"$rules"; then
    missing=''
  else
    for port in $(needed_ports); do
      grep -qE "(^|[ ,])(${port/:/[:-]}|${port%/*})([ ,]|\$)" <<<"$rules" || missing+="${missing:+, }$port"
    done
  fi
  for network in "${CLUSTER_NETWORKS[@]}"; do
    grep -qwF "$network" <<<"$rules" || missing+="${missing:+, }everything from $network"
  done
  printf '%s' "$missing"
}

check_ufw() {
  local rules missing status=0
  rules=$(ufw status 2>/dev/null) || status=$?
  if ((status)); then
    # It tells nothing to who is not root.
    if grep -qs '^ENABLED=yes' "$ROOT/etc/ufw/ufw.conf"; then
      warning firewall "the firewall ufw is on" "its rules can only be read by root" "run: sudo ufw status"
    fi
    return
  fi
  grep -q '^Status: active' <<<"$rules" || return 0
  missing=$(blocked "$(grep -w ALLOW <<<"$rules")")
  [ -n "$missing" ] || return 0
  error firewall "the firewall ufw is on and does not let in: $missing" \
    "the nodes and pods of the cluster reach each other by these ports" \
    "run: sudo ufw allow from $(lan); sudo ufw allow from 10.42.0.0/16; sudo ufw allow from 10.43.0.0/16 (or: sudo ufw disable)"
}

check_firewalld() {
  local rules missing
  systemctl is-active --quiet firewalld 2>/dev/null || return 0
  [ "$(firewall-cmd --state 2>/dev/null)" = running ] || return 0
  rules=$(firewall-cmd --list-ports 2>/dev/null; firewall-cmd --zone=trusted --list-sources 2>/dev/null)
  if [ "$(firewall-cmd --get-default-zone 2>/dev/null)" = trusted ]; then return; fi
  missing=$(blocked "$rules")
  [ -n "$missing" ] || return 0
  error firewall "firewalld is on and does not let in: $missing" \
    "the nodes and pods of the cluster reach each other by these ports" \
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
