// Package config reads what a k3s service is told: config.yaml, flags and K3S_* variables.
package config

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// File is where k3s looks for its configuration; files in File.d are read after it.
const File = "/etc/rancher/k3s/config.yaml"

// Config is what the stand-in understands of a server's or an agent's configuration.
type Config struct {
	Role              string
	NodeName          string
	NodeIP            string
	NodeLabels        []string
	NodeTaints        []string
	Server            string
	Token             string
	AgentToken        string
	TLSSANs           []string
	Disable           []string
	SecretsEncryption bool
	ClusterInit       bool
	EmbeddedRegistry  bool
	KubeconfigMode    os.FileMode
	extra             map[string][]string
}

// Etcd says whether this server is, or may become, one of several: k3s then uses etcd, and says so on its Node.
func (c *Config) Etcd() bool {
	return c.Role == "server" && (c.ClusterInit || c.Server != "")
}

// ExtraArguments are what the user adds to a component's own arguments: last, so that they win.
func (c *Config) ExtraArguments(component string) []string {
	var arguments []string
	for _, argument := range c.extra[component] {
		arguments = append(arguments, "--"+strings.TrimLeft(argument, "-"))
	}
	return arguments
}

// Load reads the configuration of a role; flags win over the environment, and that over the files.
func Load(role string, arguments, environment []string, file string) (*Config, error) {
	values := values{}
	flags, err := parseFlags(arguments)
	if err != nil {
		return nil, err
	}
	if own := flags.last("config"); own != "" {
		file = own
	}
	if err := values.addFiles(file); err != nil {
		return nil, err
	}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		if key := fromEnvironment[name]; key != "" && value != "" {
			values[key] = []string{value}
		}
	}
	for key, list := range flags {
		values[key] = list
	}
	if err := check(role, values); err != nil {
		return nil, err
	}
	return fill(role, values)
}

// check refuses what k3s would not know, and what only k3s can do.
func check(role string, values values) error {
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if !known[role][key] {
			return fmt.Errorf("flag provided but not defined: -%s (k3s %s knows no such key)", key, role)
		}
		if _, here := implemented[key]; !here {
			return fmt.Errorf("the stand-in does not implement %s, which k3s %s knows: leave it out, or use the real k3s", key, role)
		}
	}
	return nil
}

func fill(role string, values values) (*Config, error) {
	config := &Config{
		Role: role, NodeName: values.last("node-name"), NodeIP: values.last("node-ip"), Server: values.last("server"),
		NodeLabels: values["node-label"], NodeTaints: values["node-taint"], Token: values.last("token"),
		AgentToken: values.last("agent-token"), TLSSANs: values["tls-san"], Disable: values["disable"],
		SecretsEncryption: values.last("secrets-encryption") == "true", ClusterInit: values.last("cluster-init") == "true",
		EmbeddedRegistry: values.last("embedded-registry") == "true", extra: map[string][]string{},
	}
	for _, component := range []string{"kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		config.extra[component] = values[component+"-arg"]
	}
	if file := values.last("token-file"); file != "" && config.Token == "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("token-file: %w", err)
		}
		config.Token = strings.TrimSpace(string(text))
	}
	mode := values.last("write-kubeconfig-mode")
	if mode == "" {
		mode = "0600"
	}
	bits, err := strconv.ParseUint(mode, 8, 32)
	if err != nil {
		return nil, fmt.Errorf("write-kubeconfig-mode %q is not an octal number", mode)
	}
	config.KubeconfigMode = os.FileMode(bits)
	if role == "agent" && (config.Server == "" || config.Token == "") {
		return nil, fmt.Errorf("--server and --token are required")
	}
	if config.Server != "" && !strings.HasPrefix(config.Server, "https://") {
		return nil, fmt.Errorf("server %q must begin with https://", config.Server)
	}
	// The pods' routes follow the addresses of the Nodes here: the interface must only be there, as k3s wants it.
	if name := values.last("flannel-iface"); name != "" {
		if _, err := net.InterfaceByName(name); err != nil {
			return nil, fmt.Errorf("unable to find interface %s: %w", name, err)
		}
	}
	return config, identify(config)
}

// identify fills in the host's name and address where the configuration has none.
func identify(config *Config) error {
	if config.NodeName == "" {
		name, err := os.Hostname()
		if err != nil {
			return err
		}
		config.NodeName = strings.ToLower(name)
	}
	if config.NodeIP == "" {
		// No packet is sent: the kernel only chooses the address it would send from. 192.0.2.1 is nobody's (RFC 5737).
		connection, err := net.Dial("udp", "192.0.2.1:9")
		if err != nil {
			return fmt.Errorf("node-ip is not set and there is no default route: %w", err)
		}
		defer connection.Close()
		config.NodeIP = connection.LocalAddr().(*net.UDPAddr).IP.String()
	}
	if net.ParseIP(config.NodeIP) == nil {
		return fmt.Errorf("node-ip %q is not an IP address", config.NodeIP)
	}
	return nil
}
