// Package policy enforces NetworkPolicies: kube-router's controller, started as k3s starts it (pkg/agent/netpol).
package policy

import (
	"context"
	"fmt"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/spf13/cobra"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"piray/sandbox/k3s/kubeconfig"
	"piray/sandbox/k3s/layout"
)

const nodeEvery = time.Second

// NewCommand returns the command that k3s has no name for: there the controller is a part of the agent.
func NewCommand() *cobra.Command {
	return &cobra.Command{
		Use:  "kube-router KUBECONFIG NODE",
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, arguments []string) error {
			ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer cancel()
			client, err := kubeconfig.Client(arguments[0])
			if err != nil {
				return err
			}
			return run(ctx, client, arguments[1])
		},
	}
}

func run(ctx context.Context, client kubernetes.Interface, node string) error {
	config := options.NewKubeRouterConfig()
	config.RunFirewall, config.EnableIPv4, config.EnableIPv6 = true, true, false
	config.ClusterIPCIDRs = []string{layout.Services}
	config.HostnameOverride = node
	commands, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("%s were not listed", kind)
		}
	}
	controller, err := newController(ctx, func() (*netpol.NetworkPolicyController, error) {
		return netpol.NewNetworkPolicyController(client, config, pods, policies, namespaces, &sync.Mutex{}, commands, sets)
	})
	if err != nil {
		return err
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler,
		policies: controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	beats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range beats { // nobody asks for the controller's health
		}
	}()
	var wait sync.WaitGroup
	wait.Add(1)
	go controller.Run(beats, ctx.Done(), &wait)
	wait.Wait()
	return nil
}

// newController waits until the Node is there: the controller wants to know its address.
func newController(
	ctx context.Context, try func() (*netpol.NetworkPolicyController, error),
) (*netpol.NetworkPolicyController, error) {
	for {
		controller, err := try()
		if err == nil {
			return controller, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("no controller for NetworkPolicies: %w", err)
		case <-time.After(nodeEvery):
		}
	}
}
