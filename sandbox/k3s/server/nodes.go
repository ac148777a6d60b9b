package server

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"piray/sandbox/k3s/config"
	"piray/sandbox/k3s/join"
)

const (
	// memberFinalizer keeps the Node of an etcd server until its member is out; the name is k3s's.
	memberFinalizer    = "wrangler.cattle.io/managed-etcd-controller"
	uninitializedTaint = "node.cloudprovider.kubernetes.io/uninitialized"
)

// watcher keeps the Nodes as k3s's controllers do.
type watcher struct {
	client kubernetes.Interface
	config *config.Config
	lead   *lead
}

// watchNodes labels this server's Node, and forgets what belongs to a Node that is deleted.
func watchNodes(ctx context.Context, client kubernetes.Interface, config *config.Config) error {
	watcher := &watcher{client, config, &lead{}}
	if config.Etcd() {
		go watcher.lead.run(ctx, client, config.NodeName, watcher.removeMembers)
	}
	seen := func(object any) {
		if node, ok := object.(*core.Node); ok {
			watcher.seen(ctx, node)
		}
	}
	forget := func(object any) {
		if gone, late := object.(cache.DeletedFinalStateUnknown); late {
			object = gone.Obj
		}
		if node, ok := object.(*core.Node); ok {
			watcher.forget(ctx, node.Name)
		}
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err := factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: seen, UpdateFunc: func(_, object any) { seen(object) }, DeleteFunc: forget,
	})
	factory.Start(ctx.Done())
	return err
}

func (w *watcher) seen(ctx context.Context, node *core.Node) {
	switch {
	case node.DeletionTimestamp != nil:
		if w.lead.has.Load() {
			w.removeMember(ctx, node)
		}
		return
	case node.Name == w.config.NodeName:
		w.label(ctx, node)
	}
	w.initialize(ctx, node)
}

// label sets what a kubelet may not say of itself. Only etcd servers have the etcd role and the finalizer, as in k3s.
func (w *watcher) label(ctx context.Context, node *core.Node) {
	labels := map[string]string{"node-role.kubernetes.io/control-plane": "true"}
	finalizers := node.Finalizers
	if w.config.Etcd() {
		labels["node-role.kubernetes.io/etcd"] = "true"
		if !slices.Contains(finalizers, memberFinalizer) {
			finalizers = append(slices.Clone(finalizers), memberFinalizer)
		}
	}
	missing := len(finalizers) != len(node.Finalizers)
	for key, value := range labels {
		missing = missing || node.Labels[key] != value
	}
	if missing {
		w.patch(ctx, node.Name, map[string]any{"metadata": map[string]any{"labels": labels, "finalizers": finalizers}})
	}
}

// initialize lets pods onto a Node that has told its address.
func (w *watcher) initialize(ctx context.Context, node *core.Node) {
	kept := slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(taint core.Taint) bool { return taint.Key == uninitializedTaint })
	if len(kept) == len(node.Spec.Taints) || len(node.Status.Addresses) == 0 {
		return
	}
	w.patch(ctx, node.Name, map[string]any{"spec": map[string]any{"taints": kept}, "metadata": map[string]any{"resourceVersion": node.ResourceVersion}})
}

// removeMembers catches up with what was deleted while nobody led.
func (w *watcher) removeMembers(ctx context.Context) {
	nodes, err := w.client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
	if err != nil {
		logrus.Errorf("Failed to list nodes: %v", err)
		return
	}
	for _, node := range nodes.Items {
		if node.DeletionTimestamp != nil {
			w.removeMember(ctx, &node)
		}
	}
}

// removeMember takes the etcd of a server whose Node is deleted out of the cluster, then lets the Node go. A leader that
// removes itself has no database any more after the first half: the next leader does the second one.
func (w *watcher) removeMember(ctx context.Context, node *core.Node) {
	kept := slices.DeleteFunc(slices.Clone(node.Finalizers), func(name string) bool { return name == memberFinalizer })
	if len(kept) == len(node.Finalizers) {
		return
	}
	if err := forgetMember(ctx, node.Name); err != nil {
		logrus.Errorf("Node %s: %v", node.Name, err)
		return
	}
	w.patch(ctx, node.Name, map[string]any{"metadata": map[string]any{"finalizers": kept}})
}

func (w *watcher) patch(ctx context.Context, name string, change map[string]any) {
	patch, err := json.Marshal(change)
	if err == nil {
		_, err = w.client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, meta.PatchOptions{})
	}
	if err != nil {
		logrus.Errorf("Failed to change node %s: %v", name, err)
	}
}

func (w *watcher) forget(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := join.ForgetNode(ctx, w.client, name); err != nil {
		logrus.Errorf("Failed to delete the password of node %s: %v", name, err)
	}
}
