package mirror

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"piray/sandbox/k3s/kubeconfig"
	"piray/sandbox/k3s/layout"
	"piray/sandbox/k3s/registries"
)

const port = layout.MirrorPort

// nodes is the group of the kubelets' certificates: who has none of it is nobody here.
const nodes = "system:nodes"

// Run serves until the context ends; it returns when questions are accepted.
func Run(ctx context.Context, node string, registries *registries.Registries) error {
	// The kubelet's own certificate may read no other Node.
	client, err := kubeconfig.Client(layout.Agent + "/kubeproxy.kubeconfig")
	if err != nil {
		return err
	}
	contents, err := newContents(layout.Containerd, layout.Contents)
	if err != nil {
		return err
	}
	incoming, outgoing, err := configs(layout.Agent)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	handler := &mirror{contents, &peers{newTransport(outgoing), nodeAddresses(client, node)}, registries.Shares}
	server := newServer(handler, incoming)
	go func() {
		<-ctx.Done()
		server.Close()
	}()
	go func() {
		if err := server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			logrus.Errorf("Embedded registry: %v", err)
		}
	}()
	logrus.Infof("Embedded registry serves the images of this host to the cluster's nodes on port %s", port)
	return nil
}

func newServer(handler http.Handler, config *tls.Config) *http.Server {
	return &http.Server{Handler: handler, TLSConfig: config, ReadHeaderTimeout: askWithin, IdleTimeout: time.Minute}
}

// configs reads the Node's certificates: what it shows to who asks, and what it asks others with.
func configs(folder string) (incoming, outgoing *tls.Config, err error) {
	serving, err := tls.LoadX509KeyPair(folder+"/serving-kubelet.crt", folder+"/serving-kubelet.key")
	if err != nil {
		return nil, nil, err
	}
	own, err := tls.LoadX509KeyPair(folder+"/client-kubelet.crt", folder+"/client-kubelet.key")
	if err != nil {
		return nil, nil, err
	}
	clients, err := pool(folder + "/client-ca.crt")
	if err != nil {
		return nil, nil, err
	}
	servers, err := pool(folder + "/server-ca.crt")
	if err != nil {
		return nil, nil, err
	}
	incoming = &tls.Config{
		Certificates: []tls.Certificate{serving}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
		VerifyConnection: onlyNodes,
	}
	return incoming, &tls.Config{Certificates: []tls.Certificate{own}, RootCAs: servers}, nil
}

func onlyNodes(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 || !slices.Contains(state.PeerCertificates[0].Subject.Organization, nodes) {
		return errors.New("the embedded registry is for nodes of the cluster")
	}
	return nil
}

func pool(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", path)
	}
	return pool, nil
}
