"""Hosts with something wrong in their network, or with software in the way."""

from tests.infra.fake_host import ADDRESS, ADDRESSES, ROUTES
from tests.infra.hosts.case import Case, addresses, at, both, has, lan, routes, says

UBUNTU = both(
    says("modprobe", "case $* in *vxlan*) exit 1 ;; esac"),
    has("lib/modules/5.19.0-1001-raspi/modules.dep"),
    says("uname", 'if [ "$1" = -r ]; then echo 5.19.0-1001-raspi; else echo aarch64; fi'),
    says("apt-get", ""),
)
NO_VXLAN = both(
    says("modprobe", "case $* in *vxlan*) exit 1 ;; esac"), has("lib/modules/6.12.34+rpt-rpi-v8/modules.dep")
)
UFW = "echo 'Status: active'; echo '22/tcp  ALLOW  Anywhere'"
SERVER = (("ROLE", "server"),)

CASES = {
    "address of another host": Case(
        addresses("2: eth0    inet 198.51.100.77/24 brd 198.51.100.255 scope global eth0\n"),
        "error",
        "address",
        (f"has {ADDRESS}", "eth0 198.51.100.77/24"),
    ),
    "no address at all": Case(
        addresses("1: lo    inet 127.0.0.1/8 scope host lo\n"),
        "error",
        "address",
        (f"has {ADDRESS} (they have no IPv4 address at all)",),
    ),
    "broadcast address": Case(
        addresses(f"2: eth0    inet {ADDRESS}/30 brd {ADDRESS} scope global eth0\n"),
        "error",
        "address",
        ("broadcast",),
    ),
    "address by DHCP": Case(
        addresses(ADDRESSES.replace("scope global", "scope global dynamic")),
        "warning",
        "dhcp",
        ("DHCP", "reserve"),
    ),
    "no default route": Case(
        routes(ROUTES.splitlines(keepends=True)[1]),
        "error",
        "default-route",
        ("no default route", "switch without a router", "ip route add default via GATEWAY dev eth0"),
    ),
    "default route by Wi-Fi": Case(
        routes("default via 192.0.2.1 dev wlan0\n"), "info", "interface", ("wlan0", "over eth0")
    ),
    "LAN of the pods": Case(
        lan("10.42.0.7/24"), "error", "network", ("10.42.0.7/24", "10.42.0.0/16"), at("10.42.0.7")
    ),
    "LAN of the Services": Case(lan("10.43.9.7/16"), "error", "network", ("10.43.0.0/16",), at("10.43.9.7")),
    "large LAN": Case(
        lan("10.1.0.7/8"), "warning", "network", ("10.1.0.7/8", "10.42.0.0/16"), at("10.1.0.7")
    ),
    "large LAN, address of a pod": Case(
        lan("10.42.3.7/8"), "error", "network", ("10.42.3.7/8",), at("10.42.3.7")
    ),
    "ufw": Case(
        says("ufw", UFW),
        "error",
        "firewall",
        ("8472/udp", "10250/tcp", "6443/tcp", "from 10.42.0.0/16", "sudo ufw allow from 198.51.100.0/24"),
        SERVER,
    ),
    "firewalld": Case(
        both(
            lambda host: host.start_units("firewalld"),
            says(
                "firewall-cmd",
                'case $* in --state) echo running ;; *--list-ports) echo "6443/tcp 8472/udp" ;; esac',
            ),
        ),
        "error",
        "firewall",
        ("firewalld", "does not let in: 10250/tcp, everything from 10.42.0.0/16"),
    ),
    "rules by hand": Case(
        says("iptables", 'if [ "$1" = -S ]; then echo "-P INPUT DROP"; fi'),
        "warning",
        "firewall",
        ("nft list ruleset",),
    ),
    "k3s of somebody else": Case(
        has("etc/systemd/system/k3s-agent.service"),
        "error",
        "other-kubernetes",
        ("sudo k3s-agent-uninstall.sh",),
    ),
    "kubelet of kubeadm": Case(
        has("usr/lib/systemd/system/kubelet.service"), "error", "other-kubernetes", ("kubelet.service",)
    ),
    "Docker": Case(lambda host: host.start_units("docker"), "info", "docker", ("Docker",)),
    "port taken": Case(
        says(
            "ss",
            "case $* in *:6443) echo 'LISTEN 0 9 *:6443 *:* users:((\"nginx\",pid=7,fd=3))' ;; esac",
        ),
        "error",
        "port",
        ("port 6443 is taken by nginx",),
        SERVER,
    ),
    "flannel's port taken": Case(
        says("ss", "case $* in *:8472) echo UNCONN ;; esac"), "error", "port", ("8472/udp",)
    ),
    "old iptables": Case(
        says("iptables", 'echo "iptables v1.8.2 (nf_tables)"'), "info", "iptables", ("v1.8.2", "its own")
    ),
    "no vxlan on Ubuntu": Case(
        both(UBUNTU, has("etc/os-release", "ID=ubuntu\n")),
        "info",
        "modules",
        ("no module vxlan", "make up installs linux-modules-extra-raspi"),
    ),
    "no vxlan elsewhere": Case(
        NO_VXLAN, "error", "modules", ("no module vxlan", "linux-modules-extra-raspi", "full-upgrade")
    ),
    "kernel updated, not restarted": Case(
        both(says("modprobe", "exit 1"), has("lib/modules/6.12.99/modules.dep")),
        "error",
        "modules",
        ("6.12.34+rpt-rpi-v8 are gone", "sudo systemctl reboot"),
    ),
    "proxy": Case(
        has("etc/environment", 'https_proxy="http://me:secret@192.0.2.9:3128"\nno_proxy=localhost\n'),
        "warning",
        "proxy",
        ("http://***@192.0.2.9:3128", "NO_PROXY", "198.51.100.0/24"),
    ),
    "proxy with the network excepted": Case(
        has("etc/environment", "https_proxy=http://192.0.2.9:3128\nno_proxy=198.51.0.0/16\n"), "info", "proxy"
    ),
    "releases out of reach": Case(
        says("curl", 'echo "curl: (6) Could not resolve host: mirror.example" >&2; exit 6'),
        "error",
        "sources",
        ("cannot download http://mirror.example/sums", "Could not resolve host", "piray:k3s.mirror"),
        (("SOURCES", "http://mirror.example/sums"),),
    ),
    "clock compared with the server of the releases": Case(
        says(
            "curl",
            'while [ "$1" != --dump-header ]; do shift; done\n'
            'printf "HTTP/1.1 200 OK\\r\\nDate: Thu, 05 Nov 2020 08:49:37 GMT\\r\\n" >"$2"',
        ),
        "error",
        "clock",
        ("mirror.example says 2020-11-05 08:49:37", "set-ntp true"),
        (("SOURCES", "http://mirror.example/sums"),),
    ),
    "clock compared with the first server of the cluster": Case(
        says(
            "curl",
            'case "$*" in *https://198.51.100.1:6443/*) ;; *) exit 7 ;; esac\n'
            'while [ "$1" != --dump-header ]; do shift; done\n'
            'printf "HTTP/1.1 401 Unauthorized\\r\\nDate: Thu, 05 Nov 2020 08:49:37 GMT\\r\\n" >"$2"',
        ),
        "error",
        "clock",
        ("the server 198.51.100.1 says 2020-11-05 08:49:37", "certificates", "set-ntp true"),
        (("SERVER", "198.51.100.1"),),
    ),
    "clock that differs from all others": Case(
        says(
            "curl",
            'while [ "$1" != --dump-header ]; do shift; done\n'
            'printf "HTTP/1.1 200 OK\\r\\nDate: Thu, 05 Nov 2020 08:49:37 GMT\\r\\n" >"$2"',
        ),
        "error",
        "clock",
        ("the server 198.51.100.1 says 2020-11-05",),
        (("SERVER", "198.51.100.1"), ("SOURCES", "http://mirror.example/sums")),
    ),
    "no way to the registry": Case(
        says("curl", "printf 000; exit 7"),
        "warning",
        "registry",
        ("https://registry.example/v2/",),
        (("REGISTRY", "https://registry.example/v2/"),),
    ),
}
