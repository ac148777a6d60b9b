package images

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// archiveName: k3s also unpacks .lz4 and .bz2.
var archiveName = regexp.MustCompile(`\.(tar|tgz|tar\.gz|tzst|tar\.zst)$`)

// imported is what ctr of containerd 1.6 says of each image of an archive.
var imported = regexp.MustCompile(`(?m)^unpacking (\S+) \(sha256:`)

// load imports an archive.
func load(ctx context.Context, path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	plain, err := unpacked(path, file)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	said, err := ctr(ctx, plain, "import", "-")
	return importedNames(said), err
}

// unpacked reads an archive by the end of its name.
func unpacked(path string, packed io.Reader) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(path, "gz"):
		return gzip.NewReader(packed)
	case strings.HasSuffix(path, "zst"):
		reader, err := zstd.NewReader(packed)
		if err != nil {
			return nil, err
		}
		return reader.IOReadCloser(), nil
	}
	return io.NopCloser(packed), nil
}

func importedNames(said string) []string {
	var names []string
	for _, match := range imported.FindAllStringSubmatch(said, -1) {
		names = append(names, match[1])
	}
	return names
}
