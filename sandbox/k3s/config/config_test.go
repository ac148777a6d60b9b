package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T, role, text string, arguments, environment []string) (*Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(role, arguments, environment, file)
}

// What infra/k3s/config_files.py and infra/k3s/k3s.sh write for a first server.
const server = `# Managed by Pulumi; edits are overwritten.
node-name: "1e3"
node-ip: 10.77.0.11
tls-san:
- 10.77.0.11
disable:
- traefik
- servicelb
secrets-encryption: true
embedded-registry: true
write-kubeconfig-mode: '0600'
kubelet-arg:
  - fail-cgroupv1=false
token: "abc"
agent-token: "def"
`

func TestAServersFileIsUnderstood(t *testing.T) {
	got, err := load(t, "server", server, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.NodeName != "1e3" || got.KubeconfigMode != 0o600 || !got.SecretsEncryption || !got.EmbeddedRegistry || got.AgentToken != "def" {
		t.Errorf("%+v", got)
	}
	if !slices.Equal(got.ExtraArguments("kubelet"), []string{"--fail-cgroupv1=false"}) {
		t.Errorf("kubelet: %q", got.ExtraArguments("kubelet"))
	}
}

func TestAKeyThatK3sDoesNotKnowIsRefused(t *testing.T) {
	for role, text := range map[string]string{"server": "nod-name: a\n", "agent": "embedded-registry: true\n"} {
		_, err := load(t, role, text, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "not defined: -") {
			t.Errorf("%s: %v", role, err)
		}
	}
}

func TestAKeyThatOnlyK3sImplementsIsRefusedByName(t *testing.T) {
	_, err := load(t, "server", "flannel-backend: wireguard-native\n", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "does not implement flannel-backend") {
		t.Error(err)
	}
}

func TestAnInterfaceForThePodsMustBeThere(t *testing.T) {
	if _, err := load(t, "server", "flannel-iface: lo\nnode-ip: 10.0.0.1\n", nil, nil); err != nil {
		t.Error(err)
	}
	_, err := load(t, "server", "flannel-iface: eth9\nnode-ip: 10.0.0.1\n", nil, nil)
	if err == nil || !strings.Contains(err.Error(), "unable to find interface eth9") {
		t.Error(err)
	}
}

func TestFlagsWinOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	text := "token: file\nserver: https://a:6443\nnode-name: file\nnode-ip: 10.0.0.1\n"
	got, err := load(t, "agent", text, []string{"--token=flag"}, []string{"K3S_TOKEN=variable", "K3S_NODE_NAME=variable"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Token != "flag" || got.NodeName != "variable" || got.Server != "https://a:6443" {
		t.Errorf("%+v", got)
	}
}

func TestAnAgentWithoutTokenIsRefused(t *testing.T) {
	if _, err := load(t, "agent", "server: https://a:6443\n", nil, nil); err == nil {
		t.Error("accepted")
	}
}
