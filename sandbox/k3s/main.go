// A test double of k3s: the same files, service, tokens and commands around upstream Kubernetes and Debian's etcd,
// containerd, runc and CNI plugins. It is not k3s, and it is for simulated hosts only: see README.md.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/sirupsen/logrus"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/version"

	"piray/sandbox/k3s/layout"
)

const usage = `k3s (stand-in for simulated hosts, not the real k3s)
usage: k3s server|agent [--KEY=VALUE…]
       k3s kubectl|ctr|crictl …
       k3s --version`

func main() {
	logrus.SetOutput(os.Stderr)
	arguments := os.Args[1:]
	if name := filepath.Base(os.Args[0]); name == "kubectl" || name == "ctr" || name == "crictl" {
		arguments = append([]string{name}, arguments...)
	}
	if len(arguments) == 0 {
		fmt.Println(usage)
		return
	}
	command, rest := arguments[0], arguments[1:]
	switch command {
	case "server", "agent":
		if err := serve(command, rest); err != nil {
			logrus.Fatal(err)
		}
	case "ctr":
		logrus.Fatal(runOther("ctr", rest, "CONTAINERD_ADDRESS="+layout.Containerd, "CONTAINERD_NAMESPACE=k8s.io"))
	case "crictl":
		logrus.Fatal(runOther("crictl", rest, "CONTAINER_RUNTIME_ENDPOINT=unix://"+layout.Containerd))
	case "--version", "-v", "version":
		fmt.Printf("k3s version %s (stand-in, not the real k3s)\n", version.Get().GitVersion)
	case "help", "--help", "-h":
		fmt.Println(usage)
	default:
		runUpstream(command, rest)
	}
}

// runUpstream becomes one of Kubernetes's own programs.
func runUpstream(name string, arguments []string) {
	make, known := upstream[name]
	if !known {
		logrus.Fatalf("No help topic for '%s': the stand-in does not implement it", name)
	}
	if name == "kubectl" && os.Getenv("KUBECONFIG") == "" {
		os.Setenv("KUBECONFIG", layout.Kubeconfig)
	}
	os.Args = append([]string{name}, arguments...)
	os.Exit(cli.Run(make()))
}

// runOther becomes a program of the host. It is looked for outside of the directory of our own links to k3s.
func runOther(name string, arguments []string, environment ...string) error {
	for _, directory := range []string{"/usr/bin", "/usr/sbin", "/bin"} {
		path := filepath.Join(directory, name)
		if _, err := exec.LookPath(path); err == nil {
			return syscall.Exec(path, append([]string{name}, arguments...), append(os.Environ(), environment...))
		}
	}
	return fmt.Errorf("%s is not installed on this host, and the stand-in does not bring it", name)
}
