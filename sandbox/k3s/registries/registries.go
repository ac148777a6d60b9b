// Package registries tells containerd what the owner says in registries.yaml of the registries that images come from.
package registries

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"piray/sandbox/k3s/layout"
)

// Everything is the name, below `mirrors` and `configs`, of all registries that have no entry of their own.
const Everything = "*"

// The host's own embedded registry, as containerd asks it.
const (
	mirrorAddress = "127.0.0.1:" + layout.MirrorPort
	mirrorURL     = "https://" + mirrorAddress
)

// Registries is what the stand-in understands of registries.yaml. docs.k3s.io/installation/private-registry
type Registries struct {
	Mirrors map[string]Mirror `yaml:"mirrors"`
	Configs map[string]Config `yaml:"configs"`
}

// Mirror says where a registry's images are asked for before the registry itself.
type Mirror struct {
	Endpoints []string `yaml:"endpoint"`
}

// Config says how a registry or an endpoint is spoken to.
type Config struct {
	Auth *Auth `yaml:"auth"`
	TLS  *TLS  `yaml:"tls"`
}

// Auth is who we are.
type Auth struct {
	Username      string `yaml:"username"`
	Password      string `yaml:"password"`
	Auth          string `yaml:"auth"`
	IdentityToken string `yaml:"identity_token"`
}

// TLS is whom we believe.
type TLS struct {
	CAFile             string `yaml:"ca_file"`
	CertFile           string `yaml:"cert_file"`
	KeyFile            string `yaml:"key_file"`
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"`
}

// Read returns what is in a file that may be missing.
func Read(path string) (*Registries, error) {
	registries := &Registries{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return registries, nil
	}
	if err == nil {
		err = yaml.Unmarshal(text, registries)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return registries, nil
}

// AddMirror makes the embedded registry the first place where every mirrored registry's images are asked for.
func (r *Registries) AddMirror() {
	for name, mirror := range r.Mirrors {
		if isLocal(name) {
			continue
		}
		mirror.Endpoints = append([]string{mirrorURL}, mirror.Endpoints...)
		r.Mirrors[name] = mirror
	}
	if r.Configs == nil {
		r.Configs = map[string]Config{}
	}
	// Whoever is a Node of this cluster may ask, and containerd asks in the Node's name.
	r.Configs[mirrorAddress] = Config{TLS: &TLS{
		CAFile:   layout.Agent + "/server-ca.crt",
		CertFile: layout.Agent + "/client-kubelet.crt",
		KeyFile:  layout.Agent + "/client-kubelet.key",
	}}
}

// Shares says whether the hosts give each other the images of a registry.
func (r *Registries) Shares(registry string) bool {
	_, named := r.Mirrors[registry]
	_, all := r.Mirrors[Everything]
	return registry != "" && (named && !isLocal(registry) || all)
}

// isLocal says whether a registry is this host's own; such ones k3s leaves out: they mean another one on each host.
// github.com/k3s-io/k3s pkg/spegel
func isLocal(registry string) bool {
	host, _, found := strings.Cut(registry, ":")
	if !found {
		host = registry
	}
	address := net.ParseIP(host)
	return host == "localhost" || address != nil && address.IsLoopback()
}

// Passwords is the part of containerd's own configuration that no hosts.toml can hold.
func (r *Registries) Passwords() string {
	text := ""
	for _, name := range sorted(r.Configs) {
		auth := r.Configs[name].Auth
		if auth == nil || name == Everything {
			continue
		}
		text += fmt.Sprintf("  [plugins.%q.registry.configs.%q.auth]\n", "io.containerd.grpc.v1.cri", address(name))
		for _, value := range [][2]string{
			{"username", auth.Username}, {"password", auth.Password}, {"auth", auth.Auth}, {"identitytoken", auth.IdentityToken},
		} {
			if value[1] != "" {
				text += fmt.Sprintf("    %s = %q\n", value[0], value[1])
			}
		}
	}
	return text
}

// address is what is dialled for a registry: Docker's has another name there.
func address(registry string) string {
	if registry == "docker.io" {
		return "registry-1.docker.io"
	}
	return registry
}

// endpoint completes a URL as containerd does: plain HTTP for a port of this host, else HTTPS.
func endpoint(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
		if local := strings.HasPrefix(text, "https://localhost:") || strings.HasPrefix(text, "https://127."); local {
			text = strings.Replace(text, "https", "http", 1)
		}
	}
	parsed, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if parsed.Host == "" {
		return nil, fmt.Errorf("%q names no host", text)
	}
	return parsed, nil
}

func sorted[T any](entries map[string]T) []string {
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
