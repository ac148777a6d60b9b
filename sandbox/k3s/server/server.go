// Package server runs a control plane: etcd and the upstream components, with k3s's files around them.
package server

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/kubernetes"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/join"
	"piray/sandbox/k3s/kubeconfig"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
	"piray/sandbox/k3s/token"
)

// Run starts the control plane and returns when its API answers, with the password for this host's own agent.
func Run(ctx context.Context, group *process.Group, config *config.Config) (string, error) {
	passwords, err := prepare(config)
	if err != nil {
		return "", fmt.Errorf("starting kubernetes: preparing server: %w", err)
	}
	if err := startEtcd(ctx, group, config); err != nil {
		return "", err
	}
	if err := group.StartSelf("kube-apiserver", apiserverArguments(config)); err != nil {
		return "", err
	}
	client, err := kubeconfig.Client(layout.Kubeconfig)
	if err != nil {
		return "", err
	}
	if err := waitReady(ctx, client); err != nil {
		return "", err
	}
	if err := group.StartSelf("kube-controller-manager", controllerArguments(config)); err != nil {
		return "", err
	}
	if err := group.StartSelf("kube-scheduler", schedulerArguments(config)); err != nil {
		return "", err
	}
	go deploy(ctx)
	return passwords.node, watchNodes(ctx, client, config)
}

func prepare(config *config.Config) (passwords, error) {
	if err := layout.MakeDirectories(
		filepath.Dir(layout.Kubeconfig), layout.TLS+"/etcd", layout.Credentials, layout.Manifests, layout.Database,
	); err != nil {
		return passwords{}, err
	}
	passwords, err := choosePasswords(config)
	if err != nil {
		return passwords, err
	}
	if config.Server != "" && !isMember() {
		client, err := join.Connect(config.Server, config.Token, token.Server)
		if err != nil {
			return passwords, fmt.Errorf("failed to validate server %s: %w", config.Server, err)
		}
		if err := client.FetchShared(); err != nil {
			return passwords, fmt.Errorf("failed to bootstrap cluster data: %w", err)
		}
	}
	if err := makeCertificates(config); err != nil {
		return passwords, err
	}
	if config.SecretsEncryption {
		if err := writeEncryption(); err != nil {
			return passwords, err
		}
	}
	if err := writeManifests(config); err != nil {
		return passwords, err
	}
	if err := join.SaveAgents(join.Agents{EmbeddedRegistry: config.EmbeddedRegistry}); err != nil {
		return passwords, err
	}
	return passwords, passwords.write()
}

func startEtcd(ctx context.Context, group *process.Group, config *config.Config) error {
	members, state := "", "new"
	if config.Server != "" && !isMember() {
		var err error
		if members, err = joinEtcd(ctx, config); err != nil {
			return err
		}
		state = "existing"
	}
	return group.Start("etcd", "etcd", etcdArguments(config, members, state)...)
}

func waitReady(ctx context.Context, client kubernetes.Interface) error {
	for {
		if _, err := client.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx); err == nil {
			logrus.Info("Kube API server is now running")
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}
