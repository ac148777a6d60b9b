package main

import (
	"net/http"
	"os"

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/compatibility"
	logs "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"piray/sandbox/k3s/join"
)

// newAPIServer is upstream's kube-apiserver with k3s's join service on the same port. It follows
// k8s.io/kubernetes/cmd/kube-apiserver/app.NewAPIServerCommand and Run, which leave no place for it.
func newAPIServer() *cobra.Command {
	own := options.NewServerRunOptions()
	command := &cobra.Command{Use: "kube-apiserver", SilenceUsage: true}
	command.RunE = func(command *cobra.Command, _ []string) error {
		ctx := genericapiserver.SetupSignalContext()
		registry := own.GenericServerRunOptions.ComponentGlobalsRegistry
		if err := registry.Set(); err != nil {
			return err
		}
		rest.SetDefaultWarningHandler(rest.NoWarnings{})
		if err := logs.ValidateAndApply(own.Logs, registry.FeatureGateFor(compatibility.DefaultKubeComponent)); err != nil {
			return err
		}
		completed, err := own.Complete(ctx)
		if err != nil {
			return err
		}
		if problems := completed.Validate(); len(problems) > 0 {
			return utilerrors.NewAggregate(problems)
		}
		config, err := app.NewConfig(completed)
		if err != nil {
			return err
		}
		if err := addJoinService(config); err != nil {
			return err
		}
		ready, err := config.Complete()
		if err != nil {
			return err
		}
		chain, err := app.CreateServerChain(ready)
		if err != nil {
			return err
		}
		prepared, err := chain.PrepareRun()
		if err != nil {
			return err
		}
		return prepared.Run(ctx)
	}
	for _, flags := range own.Flags().FlagSets {
		command.Flags().AddFlagSet(flags)
	}
	command.SetOut(os.Stderr)
	return command
}

func addJoinService(config *app.Config) error {
	client, err := kubernetes.NewForConfig(config.KubeAPIs.ControlPlane.Generic.LoopbackClientConfig)
	if err != nil {
		return err
	}
	generic := config.Aggregator.GenericConfig
	inner := generic.BuildHandlerChainFunc
	generic.BuildHandlerChainFunc = func(api http.Handler, config *genericapiserver.Config) http.Handler {
		return join.Wrap(inner(api, config), client)
	}
	return nil
}
