package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/sirupsen/logrus"

	"piray/sandbox/k3s/agent"
	"piray/sandbox/k3s/cgroups"
	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
	"piray/sandbox/k3s/server"
)

// serve runs a server or an agent until systemd stops it, or until a part of it fails: nothing is left running then but
// the pods, which belong to containerd's shims.
func serve(role string, arguments []string) error {
	config, err := config.Load(role, arguments, os.Environ(), config.File)
	if err != nil {
		return err
	}
	if err := cgroups.Check(""); err != nil {
		return err
	}
	logrus.Infof("Starting the k3s stand-in: this is a test double, not k3s")
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	group := process.NewGroup()
	defer group.Stop()
	started := make(chan error, 1)
	go func() { started <- start(ctx, group, config) }()
	for {
		select {
		case <-ctx.Done():
			logrus.Info("Shutdown request received")
			return nil
		case err := <-group.Ended():
			return err
		case err := <-started:
			if err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			started = nil
		}
	}
}

func start(ctx context.Context, group *process.Group, config *config.Config) error {
	url, password := config.Server, config.Token
	if config.Role == "server" {
		var err error
		if password, err = server.Run(ctx, group, config); err != nil {
			return err
		}
		url = "https://127.0.0.1:" + layout.APIPort
		// As in k3s a server is ready once its API answers: its own Node comes later.
		if err := ready(config); err != nil {
			return err
		}
		return agent.Run(ctx, group, config, url, password)
	}
	if err := agent.Run(ctx, group, config, url, password); err != nil {
		return err
	}
	return ready(config)
}

func ready(config *config.Config) error {
	logrus.Infof("k3s %s is up and running", config.Role)
	_, err := daemon.SdNotify(false, daemon.SdNotifyReady)
	return err
}
