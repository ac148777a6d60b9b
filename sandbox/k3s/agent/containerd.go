package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
	"piray/sandbox/k3s/registries"
)

// pauseImage holds a pod's network. It comes with the release's archive of images, or not at all.
const pauseImage = "localhost/k3s-stand-in/pause:1"

// containerdConfig is for Debian's containerd 1.6. restrict_oom_score_adj: a simulated host may not lower the score of
// a process (no CAP_SYS_RESOURCE).
const containerdConfig = `version = 2
root = "%[1]s/containerd"
state = "%[2]s/containerd"
[grpc]
  address = "%[3]s"
[plugins."io.containerd.internal.v1.opt"]
  path = "%[1]s/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[4]s"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "%[5]s"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "%[6]s"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "%[2]s/containerd/runc"
`

// startContainerd returns when it accepts connections.
func startContainerd(ctx context.Context, group *process.Group, registries *registries.Registries) error {
	text := fmt.Sprintf(containerdConfig, layout.Agent, layout.Run, layout.Containerd, pauseImage, layout.CNI, layout.Hosts)
	path := layout.AgentEtc + "/containerd/config.toml"
	if err := layout.MakeDirectories(filepath.Dir(path)); err != nil {
		return err
	}
	if err := registries.WriteHosts(layout.Hosts); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text+registries.Passwords()), 0o600); err != nil {
		return err
	}
	if err := group.Start("containerd", "containerd", "--config", path); err != nil {
		return err
	}
	for {
		if connection, err := net.Dial("unix", layout.Containerd); err == nil {
			return connection.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
