// Package layout names the files of a k3s host. Everything lies where k3s puts it, so that what removes k3s removes us.
package layout

import "os"

const (
	Data       = "/var/lib/rancher/k3s"
	Run        = "/run/k3s"
	Kubeconfig = "/etc/rancher/k3s/k3s.yaml"
	Registries = "/etc/rancher/k3s/registries.yaml"
	// NodePassword proves that a host which comes back is the one that took the name.
	NodePassword = "/etc/rancher/node/password"

	Server      = Data + "/server"
	TLS         = Server + "/tls"
	Credentials = Server + "/cred"
	Manifests   = Server + "/manifests"
	Database    = Server + "/db/etcd"

	Agent      = Data + "/agent"
	AgentEtc   = Agent + "/etc"
	Images     = Agent + "/images"
	CNI        = AgentEtc + "/cni/net.d"
	Containerd = Run + "/containerd/containerd.sock"
	// Registries of containerd's, as its config_path and `ctr --hosts-dir` want them: a directory for each.
	Hosts = AgentEtc + "/containerd/certs.d"
	// Contents holds what containerd has of images, in files named by their SHA-256.
	Contents = Agent + "/containerd/io.containerd.content.v1.content/blobs/sha256"
)

// Networks of k3s's defaults. docs.k3s.io/cli/server
const (
	APIPort       = "6443"
	MirrorPort    = "5001"
	PodNetwork    = "10.42.0.0/16"
	Services      = "10.43.0.0/16"
	FirstService  = "10.43.0.1"
	DNSService    = "10.43.0.10"
	ClusterDomain = "cluster.local"
)

// MakeDirectories makes them readable by root only.
func MakeDirectories(paths ...string) error {
	for _, path := range paths {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
	}
	return nil
}
