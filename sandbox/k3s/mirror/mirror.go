// Package mirror is an embedded registry of Spegel's kind: each Node serves, read only, the images that its containerd
// has, and asks the other Nodes for those that it has not. docs.k3s.io/installation/registry-mirror
package mirror

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"regexp"

	"github.com/sirupsen/logrus"
)

// forwarded marks a question of another Node's mirror, which is not asked any further. The name is Spegel's.
const forwarded = "X-Spegel-Mirrored"

// wanted is what is asked for: repository, kind and tag or digest.
// github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pull
var (
	wanted = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs)/([^/]+)$`)
	digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// store is what this Node has.
type store interface {
	// resolve returns the digest of an image; "" if there is none of that name.
	resolve(request *http.Request, image string) (string, error)
	open(digest string) (*os.File, error)
}

// others finds who else has it, and passes the answer on.
type others interface {
	pass(writer http.ResponseWriter, request *http.Request) bool
}

type mirror struct {
	store  store
	others others
	// shares says whether a registry's images are given to anybody.
	shares func(registry string) bool
}

// ServeHTTP answers what a client asks a registry for when it pulls. What nobody has is not found: containerd asks the
// next host then.
func (m *mirror) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		refuse(writer, http.StatusMethodNotAllowed, "UNSUPPORTED")
		return
	}
	if request.URL.Path == "/v2" || request.URL.Path == "/v2/" {
		return
	}
	parts := wanted.FindStringSubmatch(request.URL.Path)
	registry := request.URL.Query().Get("ns")
	// As in Spegel: what `latest` is may differ from Node to Node.
	if parts == nil || !m.shares(registry) || parts[3] == "latest" {
		refuse(writer, http.StatusNotFound, "NAME_UNKNOWN")
		return
	}
	if m.serveOwn(writer, request, registry+"/"+parts[1], parts[2], parts[3]) {
		return
	}
	if request.Header.Get(forwarded) == "" && m.others.pass(writer, request) {
		return
	}
	refuse(writer, http.StatusNotFound, "MANIFEST_UNKNOWN")
}

// serveOwn answers out of this Node's store, unless it has nothing of the kind.
func (m *mirror) serveOwn(writer http.ResponseWriter, request *http.Request, repository, kind, reference string) bool {
	sum := reference
	if !digest.MatchString(reference) {
		if kind != "manifests" {
			return false
		}
		found, err := m.store.resolve(request, repository+":"+reference)
		if err != nil {
			logrus.Errorf("Embedded registry: %v", err)
		}
		if !digest.MatchString(found) {
			return false
		}
		sum = found
	}
	file, err := m.store.open(sum)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			logrus.Errorf("Embedded registry: %v", err)
		}
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		logrus.Errorf("Embedded registry: %v", err)
		return false
	}
	writer.Header().Set("Docker-Content-Digest", sum)
	writer.Header().Set("Content-Type", "application/octet-stream")
	if kind == "manifests" {
		kindOf, err := mediaType(file)
		if err != nil {
			logrus.Errorf("Embedded registry: %s: %v", sum, err)
			return false
		}
		writer.Header().Set("Content-Type", kindOf)
	}
	http.ServeContent(writer, request, "", info.ModTime(), file)
	return true
}

func refuse(writer http.ResponseWriter, status int, code string) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	_, _ = writer.Write([]byte(`{"errors":[{"code":"` + code + `"}]}`)) // the other side notices a cut connection
}
