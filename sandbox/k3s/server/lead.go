package server

import (
	"context"
	"sync/atomic"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Seconds of k3s's leases: a leader that is gone is waited out. github.com/rancher/wrangler pkg/leader
const (
	leaseDuration = 45 * time.Second
	renewDeadline = 30 * time.Second
	retryPeriod   = 2 * time.Second
)

// lead says whether this server is the one that takes members out of etcd.
type lead struct {
	has atomic.Bool
}

// run takes part in the election until the context ends.
func (l *lead) run(ctx context.Context, client kubernetes.Interface, name string, elected func(context.Context)) {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  meta.ObjectMeta{Name: "k3s-etcd", Namespace: "kube-system"},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: name},
	}
	for ctx.Err() == nil {
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					l.has.Store(true)
					elected(ctx)
				},
				OnStoppedLeading: func() { l.has.Store(false) },
			},
		})
	}
}
