package agent

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"piray/sandbox/k3s/images"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
)

const imagesEvery = 5 * time.Second

var archiveName = regexp.MustCompile(`\.(tar|tgz|tar\.gz|tar\.zst)$`)

// importImages brings in the images that come with the binary; a host that was restarted has them.
func importImages(ctx context.Context) error {
	there, err := ctr(ctx, nil, "images", "list", "--quiet")
	if err != nil {
		return err
	}
	for file, name := range images.ByFile {
		if slices.Contains(strings.Fields(there), name) {
			continue
		}
		archive, err := images.Archives.ReadFile(file)
		if err != nil {
			return fmt.Errorf("this binary was built without its images: %w", err)
		}
		if _, err := ctr(ctx, bytes.NewReader(archive), "images", "import", "-"); err != nil {
			return err
		}
	}
	return nil
}

// watchImages imports every archive of agent/images that is new or has changed, until the context ends.
func watchImages(ctx context.Context) {
	known := map[string]string{}
	for {
		entries, _ := os.ReadDir(layout.Images)
		for _, entry := range entries {
			info, err := entry.Info()
			if err != nil || !archiveName.MatchString(entry.Name()) {
				continue
			}
			path, state := filepath.Join(layout.Images, entry.Name()), fmt.Sprint(info.Size(), info.ModTime())
			// One that is still being written is imported when it has stopped to grow.
			if known[path] == state || time.Since(info.ModTime()) < imagesEvery {
				continue
			}
			known[path] = state
			if err := importFile(ctx, path); err != nil {
				logrus.Errorf("Error encountered while importing %s: %v", path, err)
				continue
			}
			logrus.Infof("Imported images from %s", path)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(imagesEvery):
		}
	}
}

func importFile(ctx context.Context, path string) error {
	marker := fmt.Sprintf("%s/.imported-%s", layout.Agent, filepath.Base(path))
	if done, err := os.Stat(marker); err == nil {
		if file, err := os.Stat(path); err == nil && done.ModTime().After(file.ModTime()) {
			return nil
		}
	}
	if _, err := ctr(ctx, nil, "images", "import", path); err != nil {
		return err
	}
	return os.WriteFile(marker, nil, 0o600)
}

func ctr(ctx context.Context, input io.Reader, arguments ...string) (string, error) {
	command := exec.CommandContext(ctx, "ctr", append([]string{"--address", layout.Containerd, "--namespace", "k8s.io"}, arguments...)...)
	command.Env, command.Stdin = process.Environment(), input
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ctr %s: %w: %s", strings.Join(arguments, " "), err, output)
	}
	return string(output), nil
}
