# shellcheck shell=bash
# shellcheck disable=SC2034 # the firewall's checks and the doctor read what these have found
# How the host is in its network: address, interface, default route, and networks that k3s uses itself.

CHECKS+=(check_address check_default_route check_overlap)

# Of the pods and of the Services: k3s's defaults. https://docs.k3s.io/cli/server#networking
CLUSTER_NETWORKS=(10.42.0.0/16 10.43.0.0/16)

# Interface that has ADDRESS, its prefix length and broadcast address, and whether a DHCP server gave it.
INTERFACE=''
PREFIX=''
BROADCAST=''
DHCP=false
ROUTE_INTERFACE=''

# read_addresses: sets INTERFACE, PREFIX, BROADCAST, DHCP.
read_addresses() {
  local interface cidr rest
  INTERFACE='' PREFIX='' BROADCAST='' DHCP=false
  while read -r _ interface _ cidr rest; do
    if [ "${cidr%/*}" = "$ADDRESS" ]; then
      INTERFACE=${interface%:} PREFIX=${cidr#*/}
      if [[ $rest =~ brd\ ([0-9.]+) ]]; then BROADCAST=${BASH_REMATCH[1]}; fi
      if [[ " $rest " == *" dynamic "* ]]; then DHCP=true; fi
      return
    fi
  done < <(ip -oneline address show 2>/dev/null)
}

# host_addresses: one `interface address/prefix` a line, without the loopback's and the cluster's own.
host_addresses() {
  ip -oneline -4 address show 2>/dev/null | awk '
    $2 !~ /^(lo|cni0|flannel|veth|kube-|cali|docker|br-)/ { print $2, $4 }'
}

check_address() {
  local there
  [ -n "$ADDRESS" ] || return 0
  if ! has ip; then
    error address "the program ip is missing" "addresses and routes are read with it" \
      "run: sudo apt-get install --yes iproute2"
    return
  fi
  read_addresses
  if [ -z "$INTERFACE" ]; then
    there=$(host_addresses | tr '\n' ' ' | sed 's/ $//')
    error address "none of its interfaces has $ADDRESS (${there:-they have no IPv4 address at all})" \
      "Kubernetes tells the other nodes this address, so that the host must have it itself" \
      "correct the address in piray:hosts (hostname -I on the host shows it)"
    return
  fi
  if [ "$BROADCAST" = "$ADDRESS" ]; then
    error address "$ADDRESS is the broadcast address of its network" "a host needs an address of its own" \
      "give it another one, in its network settings and in piray:hosts"
  fi
  if [ "$DHCP" = true ]; then
    warning dhcp "a DHCP server gave it $ADDRESS" "with another address it is lost to the cluster" \
      "reserve the address for this Pi in your router, or set a fixed one"
  fi
}

check_default_route() {
  local family=-4
  has ip || return 0
  if [[ $ADDRESS == *:* ]]; then family=-6; fi
  ROUTE_INTERFACE=$(ip "$family" route show default 2>/dev/null |
    awk '$1 == "default" { for (i = 2; i < NF; i++) if ($i == "dev") { print $(i + 1); exit } }')
  if [ -z "$ROUTE_INTERFACE" ]; then
    error default-route "it has no default route" "k3s does not start without one, also where nothing is behind it" \
      "give it the address of your router as gateway; on a switch without a router any unused address of the same network \
does: sudo ip route add default via GATEWAY dev ${INTERFACE:-eth0}, and the same in its network settings, so that it lasts"
  elif [ -n "$INTERFACE" ] && [ "$ROUTE_INTERFACE" != "$INTERFACE" ]; then
    info interface "$ADDRESS is on $INTERFACE, and the default route leaves by $ROUTE_INTERFACE" \
      "make up tells k3s to carry the pods' traffic over $INTERFACE"
  fi
}

# number <IPv4 address>
number() {
  local a b c d
  IFS=. read -r a b c d <<<"$1"
  printf '%d' $((a << 24 | b << 16 | c << 8 | d))
}

# overlap <network> <network>: do they share an address?
overlap() {
  local shorter=$((${1#*/} < ${2#*/} ? ${1#*/} : ${2#*/})) mask
  mask=$((0xFFFFFFFF << (32 - shorter) & 0xFFFFFFFF))
  [ $(($(number "${1%/*}") & mask)) = $(($(number "${2%/*}") & mask)) ]
}

check_overlap() {
  local interface network cluster inside holds
  while read -r interface network; do
    inside='' holds=''
    for cluster in "${CLUSTER_NETWORKS[@]}"; do
      overlap "$network" "$cluster" || continue
      if ((${network#*/} >= ${cluster#*/})) || overlap "${network%/*}/32" "$cluster"; then
        inside=$cluster
      else
        holds+="${holds:+ and }$cluster"
      fi
    done
    if [ -n "$inside" ]; then
      error network "its address $network ($interface) is in $inside" \
        "Kubernetes gives addresses of $inside to pods or Services, and takes those of your network away" \
        "use another range in your router, for example 192.168.1.0/24"
    elif [ -n "$holds" ]; then
      warning network "its network $network ($interface) holds $holds, which Kubernetes uses itself" \
        "machines of your network with such an address cannot be reached from this host" \
        "give no machine such an address, or use a smaller network, for example 10.0.0.0/16"
    fi
  done < <(host_addresses)
}
