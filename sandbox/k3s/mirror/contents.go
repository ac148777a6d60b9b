package mirror

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	images "github.com/containerd/containerd/api/services/images/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// largestManifest is what registries accept. github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
const largestManifest = 4 << 20

// contents are containerd's: it knows the images' names, and a finished file of its store never changes.
type contents struct {
	images images.ImagesClient
	folder string
}

func newContents(socket, folder string) (*contents, error) {
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &contents{images.NewImagesClient(connection), folder}, nil
}

func (c *contents) resolve(request *http.Request, image string) (string, error) {
	ctx := metadata.AppendToOutgoingContext(request.Context(), "containerd-namespace", "k8s.io")
	found, err := c.images.Get(ctx, &images.GetImageRequest{Name: image})
	if status.Code(err) == codes.NotFound {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", image, err)
	}
	return found.GetImage().GetTarget().GetDigest(), nil
}

func (c *contents) open(digest string) (*os.File, error) {
	return os.Open(filepath.Join(c.folder, strings.TrimPrefix(digest, "sha256:")))
}

// mediaType reads what kind of manifest a file is; OCI's may leave that to the reader.
func mediaType(file io.ReadSeeker) (string, error) {
	var manifest struct {
		MediaType string            `json:"mediaType"`
		Manifests []json.RawMessage `json:"manifests"`
	}
	if err := json.NewDecoder(io.LimitReader(file, largestManifest)).Decode(&manifest); err != nil {
		return "", err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	switch {
	case manifest.MediaType != "":
		return manifest.MediaType, nil
	case manifest.Manifests != nil:
		return "application/vnd.oci.image.index.v1+json", nil
	default:
		return "application/vnd.oci.image.manifest.v1+json", nil
	}
}
