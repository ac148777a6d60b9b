package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"piray/sandbox/k3s/layout"
)

// registries is what the stand-in understands of registries.yaml. docs.k3s.io/installation/private-registry
type registries struct {
	Mirrors map[string]struct {
		Endpoint []string `yaml:"endpoint"`
	} `yaml:"mirrors"`
}

// writeRegistries tells containerd of the owner's registries, as k3s does: at each start, from a file that may be missing.
func writeRegistries(folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	text, err := os.ReadFile(layout.Registries)
	if errors.Is(err, fs.ErrNotExist) {
		return layout.MakeDirectories(folder)
	}
	if err != nil {
		return err
	}
	var wanted registries
	if err := yaml.Unmarshal(text, &wanted); err != nil {
		return fmt.Errorf("%s: %w", layout.Registries, err)
	}
	for name, mirror := range wanted.Mirrors {
		hosts := fmt.Sprintf("server = %q\n", "https://"+name)
		for _, endpoint := range mirror.Endpoint {
			hosts += fmt.Sprintf("[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint)
		}
		if err := layout.MakeDirectories(filepath.Join(folder, name)); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name, "hosts.toml"), []byte(hosts), 0o600); err != nil {
			return err
		}
	}
	return layout.MakeDirectories(folder)
}
