package server

import (
	"fmt"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/layout"
)

func apiserverArguments(config *config.Config) []string {
	arguments := []string{
		"--advertise-address=" + config.NodeIP, "--secure-port=" + layout.APIPort, "--allow-privileged=true",
		"--anonymous-auth=false", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--cert-dir=" + layout.TLS + "/temporary-certs", "--client-ca-file=" + layout.TLS + "/client-ca.crt",
		"--tls-cert-file=" + layout.TLS + "/serving-kube-apiserver.crt",
		"--tls-private-key-file=" + layout.TLS + "/serving-kube-apiserver.key",
		"--etcd-servers=" + etcdLocal, "--etcd-cafile=" + etcdTLS + "/ca.crt",
		"--etcd-certfile=" + etcdTLS + "/client.crt", "--etcd-keyfile=" + etcdTLS + "/client.key",
		"--kubelet-certificate-authority=" + layout.TLS + "/server-ca.crt",
		"--kubelet-client-certificate=" + layout.TLS + "/client-kube-apiserver.crt",
		"--kubelet-client-key=" + layout.TLS + "/client-kube-apiserver.key",
		"--kubelet-preferred-address-types=InternalIP,ExternalIP,Hostname", "--profiling=false",
		"--proxy-client-cert-file=" + layout.TLS + "/client-auth-proxy.crt",
		"--proxy-client-key-file=" + layout.TLS + "/client-auth-proxy.key",
		"--requestheader-allowed-names=system:auth-proxy",
		"--requestheader-client-ca-file=" + layout.TLS + "/request-header-ca.crt",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-username-headers=X-Remote-User",
		"--service-account-issuer=https://kubernetes.default.svc." + layout.ClusterDomain,
		"--service-account-key-file=" + layout.TLS + "/service.key",
		"--service-account-signing-key-file=" + layout.TLS + "/service.key",
		"--service-cluster-ip-range=" + layout.Services,
	}
	if config.SecretsEncryption {
		arguments = append(arguments, "--encryption-provider-config="+encryptionFile)
	}
	return append(arguments, config.ExtraArguments("kube-apiserver")...)
}

func controllerArguments(config *config.Config) []string {
	arguments := []string{
		"--kubeconfig=" + layout.Credentials + "/controller.kubeconfig", "--bind-address=127.0.0.1", "--profiling=false",
		"--root-ca-file=" + layout.TLS + "/server-ca.crt", "--use-service-account-credentials=true",
		"--service-account-private-key-file=" + layout.TLS + "/service.key",
		"--service-cluster-ip-range=" + layout.Services, "--allocate-node-cidrs", "--cluster-cidr=" + layout.PodNetwork,
		"--flex-volume-plugin-dir=" + layout.Agent + "/libexec/kubernetes/kubelet-plugins/volume/exec",
		// Only the stand-in: a lost host is noticed sooner than after the default of 50 s.
		"--node-monitor-grace-period=20s", leaderElection(config),
	}
	for use, authority := range map[string]string{
		"kube-apiserver-client": "client-ca", "kubelet-client": "client-ca", "kubelet-serving": "server-ca", "legacy-unknown": "server-ca",
	} {
		arguments = append(arguments,
			fmt.Sprintf("--cluster-signing-%s-cert-file=%s/%s.crt", use, layout.TLS, authority),
			fmt.Sprintf("--cluster-signing-%s-key-file=%s/%s.key", use, layout.TLS, authority))
	}
	return append(arguments, config.ExtraArguments("kube-controller-manager")...)
}

func schedulerArguments(config *config.Config) []string {
	return append([]string{
		"--kubeconfig=" + layout.Credentials + "/scheduler.kubeconfig", "--bind-address=127.0.0.1", "--profiling=false",
		leaderElection(config),
	}, config.ExtraArguments("kube-scheduler")...)
}

// leaderElection: a lone server would wait for its own old lease at each start.
func leaderElection(config *config.Config) string {
	return fmt.Sprintf("--leader-elect=%t", config.Etcd())
}
