package agent

import (
	"fmt"
	"os"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
)

// kubeProxyConfig: nftables needs no kernel modules that a machine may lack. The conntrack limits belong to the machine,
// and a simulated host may not set them.
const kubeProxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: %s
hostnameOverride: %q
oomScoreAdj: 0
clientConnection: {kubeconfig: %s}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`

func startKubeProxy(group *process.Group, config *config.Config) error {
	text := fmt.Sprintf(kubeProxyConfig, layout.PodNetwork, config.NodeName, layout.Agent+"/kubeproxy.kubeconfig")
	path := layout.AgentEtc + "/kube-proxy.yaml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	arguments := append([]string{"--config=" + path}, config.ExtraArguments("kube-proxy")...)
	return group.StartSelf("kube-proxy", arguments)
}
