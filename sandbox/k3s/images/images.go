// Package images brings what lies in agent/images into containerd: archives, and lists of what is to be pulled.
package images

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"

	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
)

const every = 5 * time.Second

// pinned is the label that keeps an image from the kubelet's garbage collection.
const pinned = "io.cri-containerd.pinned=pinned"

// Import brings in every file of agent/images that is new or has changed, as k3s does before it starts the kubelet. One
// that is broken does not keep the host from starting.
func Import(ctx context.Context) {
	for _, file := range files(layout.Images) {
		file.importChanged(ctx)
	}
}

// Watch does the same while the host runs, until the context ends.
func Watch(ctx context.Context) {
	for {
		for _, file := range files(layout.Images) {
			// One that is still being written is imported when it has stopped to grow.
			if time.Since(file.changed) >= every {
				file.importChanged(ctx)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

// file is one of agent/images.
type file struct {
	path    string
	size    int64
	changed time.Time
	// bring returns the names of the images that containerd has then.
	bring func(ctx context.Context, path string) ([]string, error)
}

func files(folder string) []file {
	var found []file
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			continue
		}
		switch {
		case archiveName.MatchString(path):
			found = append(found, file{path, info.Size(), info.ModTime(), load})
		case filepath.Ext(path) == ".txt":
			found = append(found, file{path, info.Size(), info.ModTime(), pullList})
		}
	}
	return found
}

// importChanged writes down what it imported or failed to import: neither is tried again until the file changes.
func (f file) importChanged(ctx context.Context) {
	marker := fmt.Sprintf("%s/.imported-%s", layout.Agent, filepath.Base(f.path))
	state := fmt.Sprint(f.size, " ", f.changed.UnixNano())
	if done, err := os.ReadFile(marker); err == nil && string(done) == state {
		return
	}
	names, err := f.bring(ctx, f.path)
	for _, name := range names {
		if _, pinError := ctr(ctx, nil, "label", name, pinned); pinError != nil {
			logrus.Errorf("Image %s is not pinned: %v", name, pinError)
		}
	}
	if err != nil {
		logrus.Errorf("Error encountered while importing %s: %v", f.path, err)
	} else {
		logrus.Infof("Imported images from %s", f.path)
	}
	if err := os.WriteFile(marker, []byte(state), 0o600); err != nil {
		logrus.Errorf("Imported images of %s are not written down: %v", f.path, err)
	}
}

// ctr runs a command about images and returns what it says.
func ctr(ctx context.Context, input io.Reader, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "ctr", "--address", layout.Containerd, "--namespace", "k8s.io", "images")
	command.Args = append(command.Args, arguments...)
	command.Env, command.Stdin = process.Environment(), input
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ctr images %s: %w: %s", arguments[0], err, output)
	}
	return string(output), nil
}
