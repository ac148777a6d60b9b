package server

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/kubeconfig"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/pki"
)

const encryptionFile = layout.Credentials + "/encryption-config.json"

// makeCertificates makes what is missing: CAs, the components' certificates, and their kubeconfigs.
func makeCertificates(config *config.Config) error {
	authorities := map[string]*pki.Authority{}
	for base, name := range map[string]string{
		"server-ca": "k3s-server-ca", "client-ca": "k3s-client-ca", "request-header-ca": "k3s-request-header-ca",
		"etcd/ca": "etcd-ca",
	} {
		authority, err := pki.OpenAuthority(layout.TLS+"/"+base, name)
		if err != nil {
			return err
		}
		authorities[base] = authority
	}
	if _, err := pki.OpenKey(layout.TLS + "/service.key"); err != nil {
		return err
	}
	for _, leaf := range leaves(config) {
		if err := authorities[leaf.authority].Issue(layout.TLS+"/"+leaf.file, leaf.subject); err != nil {
			return fmt.Errorf("%s: %w", leaf.file, err)
		}
	}
	return writeKubeconfigs(config)
}

type leaf struct {
	authority, file string
	subject         pki.Subject
}

func leaves(config *config.Config) []leaf {
	masters := []string{"system:masters"}
	names := append([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + layout.ClusterDomain,
		"localhost", "127.0.0.1", layout.FirstService, config.NodeName, config.NodeIP,
	}, config.TLSSANs...)
	own := []string{"localhost", "127.0.0.1", config.NodeName, config.NodeIP}
	return []leaf{
		{"server-ca", "serving-kube-apiserver", pki.Subject{Name: "kube-apiserver", SANs: unique(names), Server: true}},
		{"client-ca", "client-admin", pki.Subject{Name: "system:admin", Groups: masters, Client: true}},
		{"client-ca", "client-kube-apiserver", pki.Subject{Name: "system:apiserver", Groups: masters, Client: true}},
		{"client-ca", "client-controller", pki.Subject{Name: "system:kube-controller-manager", Client: true}},
		{"client-ca", "client-scheduler", pki.Subject{Name: "system:kube-scheduler", Client: true}},
		{"request-header-ca", "client-auth-proxy", pki.Subject{Name: "system:auth-proxy", Client: true}},
		{"etcd/ca", "etcd/member", pki.Subject{Name: config.NodeName, SANs: own, Server: true, Client: true}},
		{"etcd/ca", "etcd/client", pki.Subject{Name: "etcd-client", Client: true}},
	}
}

func writeKubeconfigs(config *config.Config) error {
	const here, authority = "https://127.0.0.1:" + layout.APIPort, layout.TLS + "/server-ca.crt"
	if err := kubeconfig.Write(layout.Kubeconfig, config.KubeconfigMode, here, authority, layout.TLS+"/client-admin"); err != nil {
		return err
	}
	for _, name := range []string{"controller", "scheduler"} {
		path := layout.Credentials + "/" + name + ".kubeconfig"
		if err := kubeconfig.Write(path, 0o600, here, authority, layout.TLS+"/client-"+name); err != nil {
			return err
		}
	}
	return nil
}

// writeEncryption makes the key with which Secrets are encrypted in etcd; k3s's default cipher.
func writeEncryption() error {
	if _, err := os.Stat(encryptionFile); err == nil {
		return nil
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails: it ends the program instead
	text := fmt.Sprintf(`{"kind":"EncryptionConfiguration","apiVersion":"apiserver.config.k8s.io/v1","resources":[`+
		`{"resources":["secrets"],"providers":[{"aescbc":{"keys":[{"name":"aescbckey","secret":%q}]}},{"identity":{}}]}]}`,
		base64.StdEncoding.EncodeToString(key))
	return os.WriteFile(encryptionFile, []byte(text), 0o600)
}

func unique(words []string) []string {
	seen := map[string]bool{}
	var kept []string
	for _, word := range words {
		if !seen[word] {
			seen[word] = true
			kept = append(kept, word)
		}
	}
	return kept
}
