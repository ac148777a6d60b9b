// Package images brings the archives of agent/images into containerd.
package images

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/process"
)

const imagesEvery = 5 * time.Second

// archiveName: k3s also unpacks .zst, .lz4 and .bz2.
var archiveName = regexp.MustCompile(`\.(tar|tgz|tar\.gz)$`)

// Import imports every archive of agent/images that is new or has changed, as k3s does before it starts the
// kubelet. An archive that is broken does not keep the host from starting.
func Import(ctx context.Context) {
	for _, archive := range archives() {
		archive.importChanged(ctx)
	}
}

// Watch does the same while the host runs, until the context ends.
func Watch(ctx context.Context) {
	for {
		for _, archive := range archives() {
			// One that is still being written is imported when it has stopped to grow.
			if time.Since(archive.changed) >= imagesEvery {
				archive.importChanged(ctx)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(imagesEvery):
		}
	}
}

// archive is a file of agent/images.
type archive struct {
	path    string
	size    int64
	changed time.Time
}

func archives() []archive {
	var found []archive
	entries, _ := os.ReadDir(layout.Images)
	for _, entry := range entries {
		path := filepath.Join(layout.Images, entry.Name())
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() && archiveName.MatchString(entry.Name()) {
			found = append(found, archive{path, info.Size(), info.ModTime()})
		}
	}
	return found
}

// importChanged writes down what it imported or failed to import: neither is tried again until the file changes.
func (a archive) importChanged(ctx context.Context) {
	marker := fmt.Sprintf("%s/.imported-%s", layout.Agent, filepath.Base(a.path))
	state := fmt.Sprint(a.size, " ", a.changed.UnixNano())
	if done, err := os.ReadFile(marker); err == nil && string(done) == state {
		return
	}
	if err := a.load(ctx); err != nil {
		logrus.Errorf("Error encountered while importing %s: %v", a.path, err)
	} else {
		logrus.Infof("Imported images from %s", a.path)
	}
	if err := os.WriteFile(marker, []byte(state), 0o600); err != nil {
		logrus.Errorf("Imported images of %s are not written down: %v", a.path, err)
	}
}

func (a archive) load(ctx context.Context) error {
	file, err := os.Open(a.path)
	if err != nil {
		return err
	}
	defer file.Close()
	var unpacked io.Reader = file
	if strings.HasSuffix(a.path, "gz") {
		if unpacked, err = gzip.NewReader(file); err != nil {
			return err
		}
	}
	command := exec.CommandContext(ctx, "ctr", "--address", layout.Containerd, "--namespace", "k8s.io", "images", "import", "-")
	command.Env, command.Stdin = process.Environment(), unpacked
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ctr images import: %w: %s", err, output)
	}
	return nil
}
