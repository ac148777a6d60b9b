package config

import "strings"

// known holds the keys of `k3s server` and `k3s agent`, which are the keys of config.yaml too.
// Sources: github.com/k3s-io/k3s pkg/cli/cmds/server.go and agent.go; docs.k3s.io/cli/server and docs.k3s.io/cli/agent.
var known = map[string]map[string]bool{
	"server": set(both + `
		advertise-address advertise-port agent-token agent-token-file cluster-cidr cluster-dns cluster-domain cluster-init
		cluster-reset cluster-reset-restore-path datastore-cafile datastore-certfile datastore-endpoint datastore-keyfile
		default-local-storage-path disable disable-agent disable-apiserver disable-cloud-controller
		disable-controller-manager disable-etcd disable-helm-controller disable-kube-proxy disable-network-policy
		disable-scheduler egress-selector-mode embedded-registry etcd-arg etcd-disable-snapshots etcd-expose-metrics
		etcd-s3 etcd-s3-access-key etcd-s3-bucket etcd-s3-bucket-lookup-type etcd-s3-config-secret etcd-s3-endpoint
		etcd-s3-endpoint-ca etcd-s3-folder etcd-s3-insecure etcd-s3-proxy etcd-s3-region etcd-s3-retention
		etcd-s3-secret-key etcd-s3-session-token etcd-s3-skip-ssl-verify etcd-s3-timeout etcd-snapshot-compress
		etcd-snapshot-dir etcd-snapshot-name etcd-snapshot-retention etcd-snapshot-schedule-cron flannel-backend
		flannel-external-ip flannel-ipv6-masq helm-job-image https-listen-port kine-tls kube-apiserver-arg
		kube-cloud-controller-arg kube-cloud-controller-manager-arg kube-controller-arg kube-controller-manager-arg
		kube-scheduler-arg secrets-encryption secrets-encryption-provider service-cidr service-node-port-range
		servicelb-namespace supervisor-metrics system-default-registry tls-san tls-san-security write-kubeconfig
		write-kubeconfig-group write-kubeconfig-mode`),
	"agent": set(both + `disable-apiserver-lb no-flannel cluster-secret disable-selinux`),
}

const both = `
	airgap-extra-registry alsologtostderr bind-address config container-runtime-endpoint data-dir debug default-runtime
	disable-default-registry-endpoint docker enable-pprof flannel-cni-conf flannel-conf flannel-iface
	image-credential-provider-bin-dir image-credential-provider-config image-service-endpoint kube-proxy-arg kubelet-arg
	lb-server-port log node-external-dns node-external-ip node-internal-dns node-ip node-label node-name node-taint
	nonroot-devices pause-image prefer-bundled-bin private-registry protect-kernel-defaults resolv-conf rootless selinux
	server snapshotter token token-file v vmodule vpn-auth vpn-auth-file with-node-id
	`

// implemented holds the keys that mean something here; "switch" is a key whose flag needs no value.
var implemented = map[string]string{
	"node-name": "", "node-ip": "", "node-label": "", "node-taint": "", "kubelet-arg": "", "kube-proxy-arg": "",
	"server": "", "token": "", "token-file": "", "agent-token": "", "tls-san": "", "disable": "",
	"secrets-encryption": "switch", "write-kubeconfig-mode": "", "cluster-init": "switch", "kube-apiserver-arg": "",
	"kube-controller-manager-arg": "", "kube-scheduler-arg": "", "disable-network-policy": "switch",
	"debug": "switch", "config": "", "flannel-iface": "", "prefer-bundled-bin": "switch", "embedded-registry": "switch",
}

// short holds k3s's one-letter flags.
var short = map[string]string{"t": "token", "s": "server", "i": "node-ip", "c": "config"}

// fromEnvironment holds the variables that k3s reads, for the keys that are implemented.
var fromEnvironment = map[string]string{
	"K3S_TOKEN": "token", "K3S_TOKEN_FILE": "token-file", "K3S_URL": "server", "K3S_AGENT_TOKEN": "agent-token",
	"K3S_NODE_NAME": "node-name", "K3S_KUBECONFIG_MODE": "write-kubeconfig-mode", "K3S_CLUSTER_INIT": "cluster-init",
}

func set(words string) map[string]bool {
	keys := map[string]bool{}
	for _, word := range strings.Fields(words) {
		keys[word] = true
	}
	return keys
}
