package server

import (
	"context"
	"encoding/json"
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

// watchNodes labels this server's Node, and forgets what belongs to a Node that is deleted.
func watchNodes(ctx context.Context, client kubernetes.Interface, config *config.Config) error {
	label := func(object any) {
		if node, ok := object.(*core.Node); ok && node.Name == config.NodeName {
			labelServer(ctx, client, config, node)
		}
	}
	forget := func(object any) {
		if gone, late := object.(cache.DeletedFinalStateUnknown); late {
			object = gone.Obj
		}
		if node, ok := object.(*core.Node); ok {
			forgetNode(ctx, client, config, node.Name)
		}
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	_, err := factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: label, UpdateFunc: func(_, object any) { label(object) }, DeleteFunc: forget,
	})
	factory.Start(ctx.Done())
	return err
}

// labelServer sets what a kubelet may not say of itself. Only etcd servers have the etcd role, as in k3s.
func labelServer(ctx context.Context, client kubernetes.Interface, config *config.Config, node *core.Node) {
	labels := map[string]string{"node-role.kubernetes.io/control-plane": "true"}
	if config.Etcd() {
		labels["node-role.kubernetes.io/etcd"] = "true"
	}
	missing := false
	for key, value := range labels {
		missing = missing || node.Labels[key] != value
	}
	if !missing {
		return
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels}})
	if err == nil {
		_, err = client.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, patch, meta.PatchOptions{})
	}
	if err != nil {
		logrus.Errorf("Failed to label node %s: %v", node.Name, err)
	}
}

func forgetNode(ctx context.Context, client kubernetes.Interface, config *config.Config, name string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := join.ForgetNode(ctx, client, name); err != nil {
		logrus.Errorf("Failed to delete the password of node %s: %v", name, err)
	}
	if config.Etcd() {
		if err := forgetMember(ctx, name); err != nil {
			logrus.Errorf("Node %s: %v", name, err)
		}
	}
}
