package registries

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const text = `mirrors:
  localhost:
  lan.internal:
  docker.io:
    endpoint: ["http://10.0.0.1:5000", "https://cache.example/v2/hub"]
  "*": {endpoint: [everything.example]}
configs:
  cache.example:
    auth: {username: me, password: "pass\"word"}
    tls: {ca_file: /ca.crt, cert_file: /own.crt, key_file: /own.key}
  lan.example:8443:
    tls: {insecure_skip_verify: true}
  docker.io:
    auth: {username: you, password: other}
`

func read(t *testing.T, text string) *Registries {
	t.Helper()
	file := filepath.Join(t.TempDir(), "registries.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	registries, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return registries
}

func TestEachRegistryHasItsHosts(t *testing.T) {
	got := read(t, text).hosts()
	for name, wanted := range map[string]string{
		"docker.io": `server = "https://registry-1.docker.io"
[host."http://10.0.0.1:5000"]
  capabilities = ["pull", "resolve"]
[host."https://cache.example/v2/hub"]
  capabilities = ["pull", "resolve"]
  override_path = true
  ca = ["/ca.crt"]
  client = [["/own.crt", "/own.key"]]
`,
		"lan.example:8443": "server = \"https://lan.example:8443\"\nskip_verify = true\n",
		"_default":         "[host.\"https://everything.example\"]\n  capabilities = [\"pull\", \"resolve\"]\n",
	} {
		if got[name] != header+wanted {
			t.Errorf("%s:\n%s", name, got[name])
		}
	}
	if _, there := got["localhost"]; there {
		t.Error("localhost has a file without need")
	}
}

func TestTheEmbeddedRegistryIsAskedFirst(t *testing.T) {
	registries := read(t, text)
	registries.AddMirror()
	for name, hosts := range registries.hosts() {
		_, first, _ := strings.Cut(hosts, "[host.")
		mirrored := name != "lan.example:8443" && name != "cache.example" && name != "localhost"
		if strings.HasPrefix(first, `"https://127.0.0.1:5001"]`) != mirrored {
			t.Errorf("%s:\n%s", name, hosts)
		}
	}
	if !strings.Contains(registries.hosts()["lan.internal"], "client-kubelet.key") {
		t.Error(registries.hosts()["lan.internal"])
	}
}

func TestARegistryOfThisHostIsSpokenToAsContainerdDoes(t *testing.T) {
	got := read(t, "mirrors: {\"localhost:5000\": {endpoint: [\"127.0.0.1:5000\", \"localhost\"]}}\n").hosts()["localhost:5000"]
	for _, wanted := range []string{"server = \"http://localhost:5000\"", "[host.\"http://127.0.0.1:5000\"]", "[host.\"https://localhost\"]"} {
		if !strings.Contains(got, wanted) {
			t.Errorf("no %s in\n%s", wanted, got)
		}
	}
}

func TestOnlyMirroredRegistriesAreShared(t *testing.T) {
	named, all := read(t, "mirrors: {ghcr.io: {}}\n"), read(t, "mirrors: {\"*\": {}}\n")
	if !named.Shares("ghcr.io") || named.Shares("quay.io") || !all.Shares("quay.io") || all.Shares("") {
		t.Error(named, all)
	}
}

func TestPasswordsAreContainerdsOwn(t *testing.T) {
	const wanted = `  [plugins."io.containerd.grpc.v1.cri".registry.configs."cache.example".auth]
    username = "me"
    password = "pass\"word"
  [plugins."io.containerd.grpc.v1.cri".registry.configs."registry-1.docker.io".auth]
    username = "you"
    password = "other"
`
	if got := read(t, text).Passwords(); got != wanted {
		t.Error(got)
	}
}

func TestWhatOthersWroteStays(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"old.example": header, "own.example": "server = \"https://own.example\"\n"} {
		if err := os.MkdirAll(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name, "hosts.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(t, text).WriteHosts(folder); err != nil {
		t.Fatal(err)
	}
	for name, wanted := range map[string]bool{"old.example": false, "own.example": true, "docker.io": true} {
		if _, err := os.Stat(filepath.Join(folder, name, "hosts.toml")); (err == nil) != wanted {
			t.Error(name, err)
		}
	}
}

func TestAFileThatIsNoYAMLIsRefusedByName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "registries.yaml")
	if err := os.WriteFile(file, []byte("mirrors: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}
