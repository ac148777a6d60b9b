package images

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestArchivesAreUnpackedByTheEndOfTheirNames(t *testing.T) {
	const text = "a tar"
	var zipped, squeezed bytes.Buffer
	gzipWriter := gzip.NewWriter(&zipped)
	_, _ = gzipWriter.Write([]byte(text))
	gzipWriter.Close()
	zstdWriter, err := zstd.NewWriter(&squeezed)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = zstdWriter.Write([]byte(text))
	zstdWriter.Close()
	for name, packed := range map[string][]byte{
		"a.tar": []byte(text), "a.tgz": zipped.Bytes(), "a.tar.gz": zipped.Bytes(), "a.tar.zst": squeezed.Bytes(),
	} {
		reader, err := unpacked(name, bytes.NewReader(packed))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := io.ReadAll(reader); err != nil || string(got) != text {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
}

func TestOtherFilesOfTheDirectoryAreLeftAlone(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a.tar.zst", "b.txt", "c.tar.part", "d.json", "e.tar"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, file := range files(folder) {
		names = append(names, filepath.Base(file.path))
	}
	if !slices.Equal(names, []string{"a.tar.zst", "b.txt", "e.tar"}) {
		t.Error(names)
	}
}

func TestWhatIsImportedIsReadFromCtrsWords(t *testing.T) {
	said := "unpacking localhost/one:1 (sha256:" + "0a)...done\nunpacking ghcr.io/two/three@sha256:1 (sha256:0b)...done\n"
	if got := importedNames(said); !slices.Equal(got, []string{"localhost/one:1", "ghcr.io/two/three@sha256:1"}) {
		t.Error(got)
	}
}

func TestAListHasOneReferenceALine(t *testing.T) {
	if got := references("# The next class.\none:1\n\n  ghcr.io/two:2\r\n"); !slices.Equal(got, []string{"one:1", "ghcr.io/two:2"}) {
		t.Error(got)
	}
}

// registry is a CRI that completes names, as containerd's does.
type registry struct{ cri.ImageServiceClient }

func (registry) PullImage(context.Context, *cri.PullImageRequest, ...grpc.CallOption) (*cri.PullImageResponse, error) {
	return &cri.PullImageResponse{}, nil
}

func (registry) ImageStatus(
	_ context.Context, asked *cri.ImageStatusRequest, _ ...grpc.CallOption,
) (*cri.ImageStatusResponse, error) {
	return &cri.ImageStatusResponse{Image: &cri.Image{RepoTags: []string{"docker.io/library/" + asked.Image.Image}}}, nil
}

func TestWhatIsPulledIsKnownByItsFullName(t *testing.T) {
	got, err := pull(t.Context(), registry{}, "one:1")
	if err != nil || !slices.Equal(got, []string{"docker.io/library/one:1"}) {
		t.Error(got, err)
	}
}
