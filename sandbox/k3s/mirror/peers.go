package mirror

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/sirupsen/logrus"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// A Node that is away must not hold up the others; a question is answered from the disk.
const (
	dialWithin = time.Second
	askWithin  = 5 * time.Second
)

// peers are the mirrors of the cluster's other Nodes.
type peers struct {
	transport http.RoundTripper
	// addresses, each `host:port`.
	addresses func(ctx context.Context) []string
}

func newTransport(config *tls.Config) http.RoundTripper {
	return &http.Transport{
		TLSClientConfig: config, DialContext: (&net.Dialer{Timeout: dialWithin}).DialContext, ResponseHeaderTimeout: askWithin,
	}
}

// nodeAddresses asks the API, which may be away for a while, at each question.
func nodeAddresses(client kubernetes.Interface, own string) func(context.Context) []string {
	return func(ctx context.Context) []string {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		nodes, err := client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
		if err != nil {
			logrus.Warnf("Embedded registry: no other Node is asked: %v", err)
			return nil
		}
		return addressesOf(nodes.Items, own)
	}
}

// pass asks all others at once and hands on what the first one has that has it.
func (p *peers) pass(writer http.ResponseWriter, request *http.Request) bool {
	address := p.find(request)
	if address == "" {
		return false
	}
	proxy := httputil.ReverseProxy{
		Transport: p.transport,
		Rewrite: func(out *httputil.ProxyRequest) {
			out.SetURL(&url.URL{Scheme: "https", Host: address})
			out.Out.Header.Set(forwarded, "true")
		},
	}
	proxy.ServeHTTP(writer, request)
	return true
}

func (p *peers) find(request *http.Request) string {
	ctx, cancel := context.WithTimeout(request.Context(), askWithin)
	defer cancel()
	addresses := p.addresses(ctx)
	answers := make(chan string, len(addresses))
	for _, address := range addresses {
		go func() {
			if !p.has(ctx, address, request.URL) {
				address = ""
			}
			answers <- address
		}()
	}
	for range addresses {
		if address := <-answers; address != "" {
			return address
		}
	}
	return ""
}

func (p *peers) has(ctx context.Context, address string, asked *url.URL) bool {
	question, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+address+asked.RequestURI(), nil)
	if err != nil {
		return false
	}
	question.Header.Set(forwarded, "true")
	answer, err := p.transport.RoundTrip(question)
	if err != nil {
		logrus.Debugf("Embedded registry: %v", err)
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

func addressesOf(nodes []core.Node, own string) []string {
	var addresses []string
	for _, node := range nodes {
		for _, address := range node.Status.Addresses {
			if node.Name != own && address.Type == core.NodeInternalIP {
				addresses = append(addresses, net.JoinHostPort(address.Address, port))
			}
		}
	}
	return addresses
}
