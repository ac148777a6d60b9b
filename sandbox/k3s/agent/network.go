package agent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/kubeconfig"
	"piray/sandbox/k3s/layout"
)

// routeProtocol marks our routes, so that the killall script finds them: any number that nobody else uses.
const routeProtocol = "153"

const networkEvery = 2 * time.Second

// cniConfig stands in for flannel: a bridge per host and plain routes between the hosts.
const cniConfig = `{"cniVersion": "0.4.0", "name": "cbr0", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true, "forceAddress": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`

// masquerade lets pods speak to the world outside of the cluster in the host's name.
const masquerade = `table ip k3s-stand-in
delete table ip k3s-stand-in
table ip k3s-stand-in {
  chain postrouting {
    type nat hook postrouting priority 100;
    ip saddr %[1]s ip daddr != { %[1]s, 224.0.0.0/4 } masquerade
  }
}
`

// runNetwork returns when pods can be given addresses, and follows the cluster's Nodes until the context ends.
func runNetwork(ctx context.Context, config *config.Config) error {
	for file, value := range map[string]string{"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"} {
		if err := os.WriteFile("/proc/sys/"+file, []byte(value), 0o644); err != nil {
			logrus.Warnf("Failed to set sysctl: %v", err)
		}
	}
	if err := feed(ctx, fmt.Sprintf(masquerade, layout.PodNetwork), "nft", "--file", "-"); err != nil {
		return err
	}
	ready, failed := make(chan struct{}), make(chan error, 1)
	go func() { failed <- followNodes(ctx, config, ready) }()
	select {
	case <-ready:
		return nil
	case err := <-failed:
		return err
	}
}

func followNodes(ctx context.Context, config *config.Config, ready chan<- struct{}) error {
	// The kubelet's own certificate may read no other Node.
	client, err := kubeconfig.Client(layout.Agent + "/kubeproxy.kubeconfig")
	if err != nil {
		return err
	}
	routes := map[string]string{}
	for {
		nodes, err := client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
		if err == nil {
			if own := podNetwork(nodes.Items, config.NodeName); own != "" && ready != nil {
				if err := os.WriteFile(layout.CNI+"/10-stand-in.conflist", fmt.Appendf(nil, cniConfig, own), 0o600); err != nil {
					return err
				}
				close(ready)
				ready = nil
			}
			setRoutes(ctx, routes, wantedRoutes(nodes.Items, config.NodeName))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(networkEvery):
		}
	}
}

func podNetwork(nodes []core.Node, name string) string {
	for _, node := range nodes {
		if node.Name == name {
			return node.Spec.PodCIDR
		}
	}
	return ""
}

// wantedRoutes holds the address of each other host, by its pods' network.
func wantedRoutes(nodes []core.Node, own string) map[string]string {
	wanted := map[string]string{}
	for _, node := range nodes {
		for _, address := range node.Status.Addresses {
			if node.Name != own && node.Spec.PodCIDR != "" && address.Type == core.NodeInternalIP {
				wanted[node.Spec.PodCIDR] = address.Address
			}
		}
	}
	return wanted
}

// setRoutes makes the kernel's routes what is wanted; `routes` is what it has.
func setRoutes(ctx context.Context, routes, wanted map[string]string) {
	for network, via := range wanted {
		if routes[network] == via {
			continue
		}
		if err := feed(ctx, "", "ip", "route", "replace", network, "via", via, "proto", routeProtocol); err != nil {
			logrus.Errorf("Failed to set route: %v", err)
			continue
		}
		routes[network] = via
	}
	for network := range routes {
		if wanted[network] == "" {
			_ = feed(ctx, "", "ip", "route", "delete", network, "proto", routeProtocol) // it may be gone already
			delete(routes, network)
		}
	}
}

func feed(ctx context.Context, input, name string, arguments ...string) error {
	command := exec.CommandContext(ctx, name, arguments...)
	command.Stdin = strings.NewReader(input)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, output)
	}
	return nil
}
