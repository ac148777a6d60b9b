package agent

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
)

// hostMemory is what a simulated host may call its own, in KiB: several share one machine's memory, and the kubelet
// would take all of it for its own.
const hostMemory = 8 << 20

// uninitialized keeps pods away until a server has seen the Node, as k3s's cloud controller does.
const uninitialized = "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule"

// kubeletConfig: imagePullCredentialsVerificationPolicy, because an image that was imported and pulled too is otherwise
// refused where imagePullPolicy is Never; the thresholds, because the hosts share a disk.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[1]s/client-ca.crt}
authorization: {mode: Webhook}
tlsCertFile: %[1]s/serving-kubelet.crt
tlsPrivateKeyFile: %[1]s/serving-kubelet.key
clusterDomain: %[2]s
clusterDNS: [%[3]s]
resolvConf: %[4]s
containerRuntimeEndpoint: unix://%[5]s
staticPodPath: %[1]s/pod-manifests
volumePluginDir: %[1]s/libexec/kubernetes/kubelet-plugins/volume/exec
cgroupDriver: cgroupfs
failSwapOn: false
makeIPTablesUtilChains: false
oomScoreAdj: 0
evictionHard: {memory.available: 100Mi, nodefs.available: 1%%, imagefs.available: 1%%, nodefs.inodesFree: 1%%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
imagePullCredentialsVerificationPolicy: NeverVerify
enforceNodeAllocatable: [pods]
systemReserved: {memory: %[6]dKi}
`

func startKubelet(group *process.Group, config *config.Config) error {
	resolv, reserved, err := hostFacts()
	if err != nil {
		return err
	}
	text := fmt.Sprintf(kubeletConfig, layout.Agent, layout.ClusterDomain, layout.DNSService, resolv, layout.Containerd, reserved)
	path := layout.AgentEtc + "/kubelet.yaml"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	labels := append([]string{"node.kubernetes.io/instance-type=k3s"}, config.NodeLabels...)
	arguments := []string{
		"--config=" + path, "--kubeconfig=" + layout.Agent + "/kubelet.kubeconfig", "--node-ip=" + config.NodeIP,
		"--hostname-override=" + config.NodeName, "--node-labels=" + strings.Join(labels, ","),
		"--cert-dir=" + layout.Agent + "/pki",
	}
	taints := append([]string{uninitialized}, config.NodeTaints...)
	arguments = append(arguments, "--register-with-taints="+strings.Join(taints, ","))
	return group.StartSelf("kubelet", append(arguments, config.ExtraArguments("kubelet")...))
}

// hostFacts writes the pods' resolv.conf and returns its path, and the KiB of memory that belong to other hosts.
func hostFacts() (string, int, error) {
	text, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return "", 0, err
	}
	path := layout.AgentEtc + "/resolv.conf"
	if err := os.WriteFile(path, []byte(withoutLoopback(string(text))), 0o644); err != nil {
		return "", 0, err
	}
	text, err = os.ReadFile("/proc/meminfo")
	if err != nil {
		return "", 0, err
	}
	var total int
	if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &total); err != nil {
		return "", 0, fmt.Errorf("/proc/meminfo: %w", err)
	}
	return path, max(0, total-hostMemory), nil
}

// withoutLoopback drops name servers that a pod would look for in itself, such as the one of a docker network.
func withoutLoopback(text string) string {
	var kept []string
	for _, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 2 && words[0] == "nameserver" {
			if address, err := netip.ParseAddr(words[1]); err == nil && address.IsLoopback() {
				continue
			}
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n")
}
