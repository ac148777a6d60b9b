package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/layout"
)

const (
	etcdClientPort = "2379"
	etcdPeerPort   = "2380"
	etcdLocal      = "https://127.0.0.1:" + etcdClientPort
	etcdTLS        = layout.TLS + "/etcd"
)

// etcdArguments lets the database listen for other servers only where there may be some.
func etcdArguments(config *config.Config, members, state string) []string {
	address, clients, advertised := "127.0.0.1", etcdLocal, etcdLocal
	if config.Etcd() {
		address, advertised = config.NodeIP, "https://"+config.NodeIP+":"+etcdClientPort
		clients += "," + advertised
	}
	peer := "https://" + address + ":" + etcdPeerPort
	if members == "" {
		members = config.NodeName + "=" + peer
	}
	arguments := []string{
		"--name=" + config.NodeName, "--data-dir=" + layout.Database, "--logger=zap", "--log-level=warn",
		"--listen-client-urls=" + clients, "--advertise-client-urls=" + advertised,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=" + members, "--initial-cluster-state=" + state,
		"--client-cert-auth", "--trusted-ca-file=" + etcdTLS + "/ca.crt",
		"--cert-file=" + etcdTLS + "/member.crt", "--key-file=" + etcdTLS + "/member.key",
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + etcdTLS + "/ca.crt",
		"--peer-cert-file=" + etcdTLS + "/member.crt", "--peer-key-file=" + etcdTLS + "/member.key",
	}
	if config.Etcd() {
		// Several hosts share a machine's disk. A lone server would only wait longer, for its own vote.
		arguments = append(arguments, "--heartbeat-interval=500", "--election-timeout=5000")
	}
	return arguments
}

// isMember says whether this host joined at an earlier start: etcd then remembers the others.
func isMember() bool {
	_, err := os.Stat(layout.Database + "/member")
	return err == nil
}

// joinEtcd makes this host a member of the cluster that the server belongs to, and returns all members. A name that a
// member has already is refused with k3s's words; what an interrupted join has left is taken up.
func joinEtcd(ctx context.Context, config *config.Config) (string, error) {
	server, err := url.Parse(config.Server)
	if err != nil {
		return "", err
	}
	client, err := etcdClient("https://" + server.Hostname() + ":" + etcdClientPort)
	if err != nil {
		return "", err
	}
	defer client.Close()
	list, err := client.MemberList(ctx)
	if err != nil {
		return "", fmt.Errorf("listing etcd's members: %w", err)
	}
	own, members := "https://"+config.NodeIP+":"+etcdPeerPort, list.Members
	for _, member := range members {
		if member.Name == config.NodeName {
			return "", errors.New("etcd cluster join failed: duplicate node name found, please use a unique name for this node")
		}
	}
	if !slices.ContainsFunc(members, func(member *etcdserverpb.Member) bool { return slices.Contains(member.PeerURLs, own) }) {
		added, err := client.MemberAdd(ctx, []string{own})
		if err != nil {
			return "", fmt.Errorf("joining etcd: %w", err)
		}
		members = added.Members
	}
	var named []string
	for _, member := range members {
		name := member.Name
		if slices.Contains(member.PeerURLs, own) {
			name = config.NodeName
		}
		for _, peer := range member.PeerURLs {
			named = append(named, name+"="+peer)
		}
	}
	return strings.Join(named, ","), nil
}

// forgetMember takes the etcd of a server whose Node was deleted out of the cluster.
func forgetMember(ctx context.Context, name string) error {
	client, err := etcdClient(etcdLocal)
	if err != nil {
		return err
	}
	defer client.Close()
	return removeMember(ctx, client, name)
}

func removeMember(ctx context.Context, client *clientv3.Client, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	list, err := client.MemberList(ctx)
	if err != nil {
		return fmt.Errorf("listing etcd's members: %w", err)
	}
	for _, member := range list.Members {
		if member.Name == name && len(list.Members) > 1 {
			logrus.Infof("Removing etcd member %s", name)
			if _, err := client.MemberRemove(ctx, member.ID); err != nil {
				return fmt.Errorf("removing etcd member %s: %w", name, err)
			}
		}
	}
	return nil
}

func etcdClient(endpoint string) (*clientv3.Client, error) {
	pair, err := tls.LoadX509KeyPair(etcdTLS+"/client.crt", etcdTLS+"/client.key")
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(etcdTLS + "/ca.crt")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	return clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, DialTimeout: 10 * time.Second,
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool},
	})
}
