package mirror

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"piray/sandbox/k3s/pki"
)

const (
	image    = "piray.internal/ray:1"
	manifest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	blob     = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	path     = "/v2/ray/manifests/1?ns=piray.internal"
)

// kept is a store in a directory.
type kept struct{ folder string }

func (k kept) resolve(_ *http.Request, name string) (string, error) {
	if name == image || name == "piray.internal/ray:latest" {
		return manifest, nil
	}
	return "", nil
}

func (k kept) open(digest string) (*os.File, error) {
	if k.folder == "" {
		return nil, fs.ErrNotExist
	}
	return os.Open(filepath.Join(k.folder, digest))
}

func newKept(t *testing.T) kept {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{manifest: `{"schemaVersion":2,"layers":[]}`, blob: "a layer"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return kept{folder}
}

func shared(registry string) bool { return registry == "piray.internal" }

// node is a mirror that serves with a certificate of the authority, and asks others with the one of a client.
func node(t *testing.T, store store, authority *pki.Authority, others ...string) *httptest.Server {
	t.Helper()
	outgoing := &tls.Config{RootCAs: pooled(t, authority), Certificates: []tls.Certificate{issued(t, authority, nodes)}}
	peers := &peers{newTransport(outgoing), func(context.Context) []string { return others }}
	server := httptest.NewUnstartedServer(&mirror{store, peers, shared})
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{issued(t, authority, nodes)}, ClientCAs: pooled(t, authority),
		ClientAuth: tls.RequireAndVerifyClientCert, VerifyConnection: onlyNodes,
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	authority, err := pki.OpenAuthority(filepath.Join(t.TempDir(), "ca"), "test")
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func pooled(t *testing.T, authority *pki.Authority) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority.PEM) {
		t.Fatal("no certificate")
	}
	return pool
}

func issued(t *testing.T, authority *pki.Authority, group string) tls.Certificate {
	t.Helper()
	base := filepath.Join(t.TempDir(), "own")
	subject := pki.Subject{Name: "somebody", Groups: []string{group}, SANs: []string{"127.0.0.1"}, Server: true, Client: true}
	if err := authority.Issue(base, subject); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(base+".crt", base+".key")
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func get(t *testing.T, server *httptest.Server, authority *pki.Authority, path string) (*http.Response, string) {
	t.Helper()
	config := &tls.Config{RootCAs: pooled(t, authority), Certificates: []tls.Certificate{issued(t, authority, nodes)}}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	answer, err := client.Get(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(text)
}

func host(server *httptest.Server) string { return strings.TrimPrefix(server.URL, "https://") }

func TestANodeServesWhatItHas(t *testing.T) {
	authority := newAuthority(t)
	server := node(t, newKept(t), authority)
	for asked, wanted := range map[string]string{
		path: "application/vnd.oci.image.manifest.v1+json",
		"/v2/ray/manifests/" + manifest + "?ns=piray.internal": "application/vnd.oci.image.manifest.v1+json",
		"/v2/ray/blobs/" + blob + "?ns=piray.internal":         "application/octet-stream",
	} {
		answer, _ := get(t, server, authority, asked)
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != wanted {
			t.Errorf("%s: %s %s", asked, answer.Status, answer.Header.Get("Content-Type"))
		}
	}
	if answer, _ := get(t, server, authority, path); answer.Header.Get("Docker-Content-Digest") != manifest {
		t.Error(answer.Header)
	}
}

func TestWhatIsNotSharedIsNotFound(t *testing.T) {
	authority := newAuthority(t)
	server := node(t, newKept(t), authority)
	for _, asked := range []string{
		"/v2/ray/manifests/2?ns=piray.internal", "/v2/ray/manifests/latest?ns=piray.internal",
		"/v2/ray/blobs/" + blob + "?ns=ghcr.io", "/v2/ray/blobs/" + blob,
		"/v2/ray/blobs/..%2f..%2fkey?ns=piray.internal", "/v2/_catalog?ns=piray.internal",
	} {
		if answer, _ := get(t, server, authority, asked); answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", asked, answer.Status)
		}
	}
}

func TestWhatANodeHasNotItGetsFromOneThatHas(t *testing.T) {
	authority := newAuthority(t)
	full, empty := node(t, newKept(t), authority), node(t, kept{}, authority)
	gone := node(t, kept{}, authority)
	gone.Close()
	asked := node(t, kept{}, authority, host(gone), host(empty), host(full))
	answer, text := get(t, asked, authority, "/v2/ray/blobs/"+blob+"?ns=piray.internal")
	if answer.StatusCode != http.StatusOK || text != "a layer" {
		t.Error(answer.Status, text)
	}
}

func TestWhatIsAskedForByAnotherNodeIsNotAskedForFurther(t *testing.T) {
	authority := newAuthority(t)
	full := node(t, newKept(t), authority)
	between := node(t, kept{}, authority, host(full))
	asked := node(t, kept{}, authority, host(between))
	if answer, _ := get(t, asked, authority, path); answer.StatusCode != http.StatusNotFound {
		t.Error(answer.Status)
	}
}

func TestOnlyNodesOfTheClusterAreAnswered(t *testing.T) {
	authority := newAuthority(t)
	server := node(t, newKept(t), authority)
	for who, certificates := range map[string][]tls.Certificate{
		"nobody": nil, "an administrator": {issued(t, authority, "system:masters")},
		"a node of another cluster": {issued(t, newAuthority(t), nodes)},
	} {
		config := &tls.Config{RootCAs: pooled(t, authority), Certificates: certificates}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		if answer, err := client.Get(server.URL + "/v2/"); err == nil {
			answer.Body.Close()
			t.Errorf("%s: %s", who, answer.Status)
		}
	}
}

func TestNothingIsChanged(t *testing.T) {
	writer := httptest.NewRecorder()
	(&mirror{kept{}, nil, shared}).ServeHTTP(writer, httptest.NewRequest(http.MethodPut, path, nil))
	if writer.Code != http.StatusMethodNotAllowed {
		t.Error(writer.Code)
	}
}

func TestTheOtherNodesAreAskedAtTheirInternalAddresses(t *testing.T) {
	named := func(name, address string) core.Node {
		return core.Node{
			ObjectMeta: meta.ObjectMeta{Name: name},
			Status: core.NodeStatus{Addresses: []core.NodeAddress{
				{Type: core.NodeHostName, Address: name}, {Type: core.NodeInternalIP, Address: address},
			}},
		}
	}
	got := addressesOf([]core.Node{named("a", "10.0.0.1"), named("b", "10.0.0.2")}, "a")
	if len(got) != 1 || got[0] != "10.0.0.2:5001" {
		t.Error(got)
	}
}
