package server

import (
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
)

//go:embed coredns.yaml
var coreDNS []byte

//go:embed rolebindings.yaml
var roleBindings []byte

const manifestsEvery = 5 * time.Second

// writeManifests puts the packaged components where a user finds, and k3s looks for, what is deployed.
func writeManifests(config *config.Config) error {
	if err := os.WriteFile(layout.Manifests+"/rolebindings.yaml", roleBindings, 0o600); err != nil {
		return err
	}
	if slices.Contains(config.Disable, "coredns") {
		return nil
	}
	return os.WriteFile(layout.Manifests+"/coredns.yaml", coreDNS, 0o600)
}

// deploy applies every manifest that is new or has changed, until the context ends.
func deploy(ctx context.Context) {
	applied := map[string]string{}
	for {
		for _, path := range manifests() {
			state := stateOf(path)
			if applied[path] == state {
				continue
			}
			if output, err := apply(ctx, path); err != nil {
				logrus.Errorf("Failed to process %s: %v: %s", path, err, output)
				continue
			}
			logrus.Infof("Applied manifest %s", path)
			applied[path] = state
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(manifestsEvery):
		}
	}
}

func manifests() []string {
	var found []string
	_ = filepath.WalkDir(layout.Manifests, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

func stateOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime())
}

func apply(ctx context.Context, path string) ([]byte, error) {
	command := exec.CommandContext(ctx, process.Self, "kubectl", "apply", "--server-side", "--force-conflicts",
		"--field-manager=deploy@k3s", "--cache-dir="+layout.Server+"/kubectl-cache", "--filename="+path)
	command.Args[0] = "k3s"
	command.Env = append(process.Environment(), "KUBECONFIG="+layout.Kubeconfig)
	return command.CombinedOutput()
}
