"""What a first version of such a program often is: a component and three Commands for each host."""

import json

import pulumi
from pulumi_command import remote

config = pulumi.Config("piray")
server = None
for host in json.loads(config.require("hosts")):
    name = host["name"]
    component = pulumi.ComponentResource("peer:index:Host", name)
    connection = remote.ConnectionArgs(host=host["address"], user="pi", host_key=host.get("hostKey"))
    prepare = remote.Command(
        f"{name}-prepare",
        connection=connection,
        create="grep -q cgroup_memory=1 /boot/firmware/cmdline.txt || sudo sed -i "
        "'s/$/ cgroup_memory=1 cgroup_enable=memory/' /boot/firmware/cmdline.txt",
        opts=pulumi.ResourceOptions(parent=component),
    )
    environment = (
        pulumi.Output.concat("K3S_URL=https://10.0.0.2:6443 K3S_TOKEN=", server.stdout) if server else ""
    )
    install = remote.Command(
        f"{name}-install",
        connection=connection,
        create=pulumi.Output.concat("curl -sfL https://get.k3s.io | ", environment, " sh -"),
        delete="/usr/local/bin/k3s-uninstall.sh || /usr/local/bin/k3s-agent-uninstall.sh",
        opts=pulumi.ResourceOptions(parent=component, depends_on=[prepare]),
    )
    last = remote.Command(
        f"{name}-token",
        connection=connection,
        create="sudo cat /var/lib/rancher/k3s/server/node-token || hostname",
        opts=pulumi.ResourceOptions(parent=component, depends_on=[install]),
    )
    server = server or last
