// Package join is what hosts say to each other before they share a cluster: k3s's join service, beside the API on 6443.
package join

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/kubernetes"

	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/pki"
	"piray/sandbox/k3s/token"
)

// Paths and headers are k3s's own. github.com/k3s-io/k3s pkg/server/handlers
const (
	authorityPath   = "/cacerts"
	prefix          = "/v1-k3s/"
	nodeNameHeader  = "k3s-Node-Name"
	passwordHeader  = "k3s-Node-Password"
	addressHeader   = "k3s-Node-IP"
	largestBody     = 1 << 16
	passwordsFile   = layout.Credentials + "/passwords.json"
	agentsFile      = layout.Credentials + "/agents.json"
	kubeletUser     = "system:node:"
	kubeletGroup    = "system:nodes"
	kubeProxyUser   = "system:kube-proxy"
	controllerUser  = "system:k3s-controller"
	clientAuthority = layout.TLS + "/client-ca"
	serverAuthority = layout.TLS + "/server-ca"
)

// SavePasswords keeps what the service accepts, by user; a node may also come with the servers' password.
func SavePasswords(server, node string) error {
	text, err := json.Marshal(map[string][]string{token.Server: {server}, token.Node: {node, server}})
	if err != nil {
		return err
	}
	return os.WriteFile(passwordsFile, text, 0o600)
}

// Wrap puts the service before the API: it has its own passwords, and answers before anybody is authenticated there.
func Wrap(api http.Handler, client kubernetes.Interface) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+authorityPath, file(serverAuthority+".crt"))
	mux.HandleFunc("GET "+prefix+"client-ca.crt", authorized(token.Node, file(clientAuthority+".crt")))
	mux.HandleFunc("GET "+prefix+"config", authorized(token.Node, file(agentsFile)))
	mux.HandleFunc("GET "+prefix+"server-bootstrap", authorized(token.Server, sendBootstrap))
	mux.HandleFunc("POST "+prefix+"client-kubelet.crt", authorized(token.Node, knownNode(client, signKubelet)))
	mux.HandleFunc("POST "+prefix+"serving-kubelet.crt", authorized(token.Node, knownNode(client, signKubeletServing)))
	mux.HandleFunc("POST "+prefix+"client-kube-proxy.crt", authorized(token.Node, knownNode(client, sign(kubeProxyUser))))
	mux.HandleFunc("POST "+prefix+"client-k3s-controller.crt", authorized(token.Node, knownNode(client, sign(controllerUser))))
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.URL.Path == authorityPath || strings.HasPrefix(request.URL.Path, prefix) {
			mux.ServeHTTP(writer, request)
			return
		}
		api.ServeHTTP(writer, request)
	})
}

func file(path string) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		http.ServeFile(writer, request, path)
	}
}

// authorized lets through who knows a password of the user; the servers' user may do what nodes may.
func authorized(user string, next http.HandlerFunc) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		name, password, _ := request.BasicAuth()
		if (name == user || name == token.Server) && passwordIs(name, password) {
			next(writer, request)
			return
		}
		http.Error(writer, "not authorized", http.StatusUnauthorized)
	}
}

func passwordIs(user, password string) bool {
	text, err := os.ReadFile(passwordsFile)
	if err != nil {
		return false
	}
	var accepted map[string][]string
	if json.Unmarshal(text, &accepted) != nil {
		return false
	}
	for _, one := range accepted[user] {
		if one != "" && subtle.ConstantTimeCompare([]byte(one), []byte(password)) == 1 {
			return true
		}
	}
	return false
}

// knownNode lets through a name that is new, or whose password is the one it first came with.
func knownNode(client kubernetes.Interface, next http.HandlerFunc) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		name, password := request.Header.Get(nodeNameHeader), request.Header.Get(passwordHeader)
		err := ensureNodePassword(request.Context(), client, name, password)
		switch {
		case err == nil:
			next(writer, request)
		case errors.Is(err, errRejected):
			http.Error(writer, err.Error(), http.StatusForbidden)
		default:
			http.Error(writer, err.Error(), http.StatusServiceUnavailable)
		}
	}
}

func signKubelet(writer http.ResponseWriter, request *http.Request) {
	name := request.Header.Get(nodeNameHeader)
	answer(writer, request, clientAuthority, pki.Subject{Name: kubeletUser + name, Groups: []string{kubeletGroup}, Client: true})
}

func signKubeletServing(writer http.ResponseWriter, request *http.Request) {
	name := request.Header.Get(nodeNameHeader)
	sans := []string{name, "localhost", "127.0.0.1", request.Header.Get(addressHeader)}
	answer(writer, request, serverAuthority, pki.Subject{Name: name, SANs: sans, Server: true})
}

func sign(user string) http.HandlerFunc {
	return func(writer http.ResponseWriter, request *http.Request) {
		answer(writer, request, clientAuthority, pki.Subject{Name: user, Client: true})
	}
}

func answer(writer http.ResponseWriter, request *http.Request, authority string, subject pki.Subject) {
	certificate, err := signed(request.Body, authority, subject)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = writer.Write(certificate) // the other side notices a cut connection
}

func signed(body io.Reader, authority string, subject pki.Subject) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(body, largestBody))
	if err != nil {
		return nil, err
	}
	key, err := pki.RequestedKey(text)
	if err != nil {
		return nil, err
	}
	signer, err := pki.OpenAuthority(authority, filepath.Base(authority))
	if err != nil {
		return nil, err
	}
	return signer.Sign(subject, key)
}
