// Package agent makes a host a Node: containerd, kubelet, kube-proxy and the pods' network.
package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/images"
	"piray/sandbox/k3s/join"
	"piray/sandbox/k3s/kubeconfig"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/mirror"
	"piray/sandbox/k3s/process"
	"piray/sandbox/k3s/registries"
	"piray/sandbox/k3s/token"
)

const retry = 2 * time.Second

// Run starts the agent and returns when its Node has its part of the pods' network.
func Run(ctx context.Context, group *process.Group, config *config.Config, server, password string) error {
	if err := layout.MakeDirectories(
		layout.AgentEtc, layout.Images, layout.CNI, layout.Agent+"/pod-manifests", filepath.Dir(layout.Containerd),
		filepath.Dir(layout.NodePassword),
	); err != nil {
		return err
	}
	agents, err := enroll(ctx, config, server, password)
	if err != nil {
		return err
	}
	registries, err := registries.Read(layout.Registries)
	if err != nil {
		return err
	}
	if agents.EmbeddedRegistry {
		registries.AddMirror()
	}
	if err := startContainerd(ctx, group, registries); err != nil {
		return err
	}
	if agents.EmbeddedRegistry {
		if err := mirror.Run(ctx, config.NodeName, registries); err != nil {
			return fmt.Errorf("embedded registry: %w", err)
		}
	}
	images.Import(ctx)
	if err := startKubelet(group, config); err != nil {
		return err
	}
	if err := startKubeProxy(group, config); err != nil {
		return err
	}
	go images.Watch(ctx)
	if err := runNetwork(ctx, config); err != nil {
		return err
	}
	return group.StartSelf("kube-router", []string{layout.Agent + "/k3scontroller.kubeconfig", config.NodeName})
}

// enroll asks the server for certificates, and what it wants of all hosts, until it gives them; as in k3s, an agent that
// is refused keeps asking.
func enroll(ctx context.Context, config *config.Config, server, password string) (join.Agents, error) {
	node := join.Node{Name: config.NodeName, Address: config.NodeIP}
	var err error
	if node.Password, err = nodePassword(); err != nil {
		return join.Agents{}, err
	}
	for {
		client, err := join.Connect(server, password, token.Node)
		if err != nil {
			logrus.Errorf("Failed to validate connection to cluster at %s: %v", server, err)
		} else if agents, err := fetch(client, node); err != nil {
			logrus.Infof("Waiting to retrieve agent configuration; server is not ready: %v", err)
		} else {
			return agents, writeKubeconfigs(server)
		}
		select {
		case <-ctx.Done():
			return join.Agents{}, ctx.Err()
		case <-time.After(retry):
		}
	}
}

func fetch(client *join.Client, node join.Node) (join.Agents, error) {
	if err := client.FetchCredentials(node); err != nil {
		return join.Agents{}, err
	}
	return client.FetchAgents()
}

func writeKubeconfigs(server string) error {
	for file, base := range map[string]string{
		"kubelet": "client-kubelet", "kubeproxy": "client-kube-proxy", "k3scontroller": "client-k3s-controller",
	} {
		path := fmt.Sprintf("%s/%s.kubeconfig", layout.Agent, file)
		if err := kubeconfig.Write(path, 0o600, server, layout.Agent+"/server-ca.crt", layout.Agent+"/"+base); err != nil {
			return err
		}
	}
	return nil
}

// nodePassword is made at the first start and proves at later ones that this host had the name before.
func nodePassword() (string, error) {
	text, err := os.ReadFile(layout.NodePassword)
	if errors.Is(err, fs.ErrNotExist) {
		password := token.NewPassword()
		return password, os.WriteFile(layout.NodePassword, []byte(password+"\n"), 0o600)
	}
	return strings.TrimSpace(string(text)), err
}
