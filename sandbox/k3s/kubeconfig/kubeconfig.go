// Package kubeconfig writes kubeconfigs in the form that k3s gives them.
package kubeconfig

import (
	"os"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
)

// Write makes a kubeconfig with everything in it: the CA's file, and the certificate and key in BASE.crt and BASE.key.
func Write(path string, mode os.FileMode, server, authority, base string) error {
	var texts [3][]byte
	for i, file := range []string{authority, base + ".crt", base + ".key"} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		texts[i] = text
	}
	const name = "default"
	text, err := clientcmd.Write(api.Config{
		Clusters:       map[string]*api.Cluster{name: {Server: server, CertificateAuthorityData: texts[0]}},
		AuthInfos:      map[string]*api.AuthInfo{name: {ClientCertificateData: texts[1], ClientKeyData: texts[2]}},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, text, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// Client opens the cluster that a kubeconfig speaks of.
func Client(path string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
