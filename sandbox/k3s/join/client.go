package join

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/pki"
	"piray/sandbox/k3s/token"
)

// Client speaks to a server whose CA it has checked against the token.
type Client struct {
	// CA is the server's CA, in PEM.
	CA     []byte
	server string
	token  token.Token
	http   *http.Client
}

// Connect asks a server for its CA and believes it if the token's sum is right; a token without a sum believes anybody.
func Connect(server, text, user string) (*Client, error) {
	parsed, err := token.Parse(text, user)
	if err != nil {
		return nil, err
	}
	blind := newHTTP(&tls.Config{InsecureSkipVerify: true}) // what it answers is checked by its sum
	authority, err := fetch(blind, http.MethodGet, server+authorityPath, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("failed to get CA certs: %w", err)
	}
	if parsed.Sum != "" && parsed.Sum != token.Sum(authority) {
		return nil, fmt.Errorf("token CA hash does not match the Cluster CA certificate hash: %s != %s",
			parsed.Sum, token.Sum(authority))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s%s is not a certificate", server, authorityPath)
	}
	client := &Client{authority, server, parsed, newHTTP(&tls.Config{RootCAs: pool})}
	if _, err := client.get("client-ca.crt"); err != nil {
		return nil, err
	}
	return client, nil
}

func newHTTP(config *tls.Config) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: config}}
}

// Node is a host that wants certificates.
type Node struct {
	Name, Address, Password string
}

// FetchCredentials writes what a node needs into the agent's directory: CAs, and certificates for its own keys.
func (c *Client) FetchCredentials(node Node) error {
	clientCA, err := c.get("client-ca.crt")
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"server-ca.crt": c.CA, "client-ca.crt": clientCA} {
		if err := os.WriteFile(layout.Agent+"/"+name, text, 0o600); err != nil {
			return err
		}
	}
	header := http.Header{nodeNameHeader: {node.Name}, passwordHeader: {node.Password}, addressHeader: {node.Address}}
	for _, name := range []string{"client-kubelet", "serving-kubelet", "client-kube-proxy", "client-k3s-controller"} {
		request, err := pki.Request(layout.Agent + "/" + name + ".key")
		if err != nil {
			return err
		}
		certificate, err := c.fetch(http.MethodPost, name+".crt", header, request)
		if err != nil {
			return err
		}
		if err := os.WriteFile(layout.Agent+"/"+name+".crt", certificate, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) get(name string) ([]byte, error) {
	return c.fetch(http.MethodGet, name, http.Header{}, nil)
}

func (c *Client) fetch(method, name string, header http.Header, body []byte) ([]byte, error) {
	request := &http.Request{Header: header.Clone()}
	request.SetBasicAuth(c.token.User, c.token.Password)
	return fetch(c.http, method, c.server+prefix+name, request.Header, body)
}

func fetch(client *http.Client, method, url string, header http.Header, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("Node password rejected, duplicate hostname or contents of '%s' may not match server "+
			"node-passwd entry, try enabling a unique node name with the --with-node-id flag", layout.NodePassword)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %s: %s", url, answer.Status, strings.TrimSpace(string(text)))
	}
	return text, nil
}
