package join

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"

	"piray/sandbox/k3s/layout"
)

// Shared are the files that all servers of a cluster have in common.
var Shared = []string{
	layout.TLS + "/server-ca.crt", layout.TLS + "/server-ca.key",
	layout.TLS + "/client-ca.crt", layout.TLS + "/client-ca.key",
	layout.TLS + "/request-header-ca.crt", layout.TLS + "/request-header-ca.key",
	layout.TLS + "/etcd/ca.crt", layout.TLS + "/etcd/ca.key",
	layout.TLS + "/service.key",
	layout.Credentials + "/encryption-config.json",
	passwordsFile,
}

func sendBootstrap(writer http.ResponseWriter, _ *http.Request) {
	files := map[string][]byte{}
	for _, path := range Shared {
		text, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			http.Error(writer, err.Error(), http.StatusInternalServerError)
			return
		}
		if err == nil {
			files[path] = text
		}
	}
	_ = json.NewEncoder(writer).Encode(files) // the other side notices a cut connection
}

// FetchShared writes the files of the cluster that a second server joins.
func (c *Client) FetchShared() error {
	text, err := c.get("server-bootstrap")
	if err != nil {
		return err
	}
	var files map[string][]byte
	if err := json.Unmarshal(text, &files); err != nil {
		return err
	}
	for _, path := range Shared {
		if content, there := files[path]; there {
			if err := layout.MakeDirectories(filepath.Dir(path)); err != nil {
				return err
			}
			if err := os.WriteFile(path, content, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
