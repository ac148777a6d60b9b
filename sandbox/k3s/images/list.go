package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"piray/sandbox/k3s/layout"
)

// pullList pulls what a list names, as the kubelet would: with the owner's mirrors and passwords. One that cannot be had
// does not keep the others away.
func pullList(ctx context.Context, path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient("unix://"+layout.Containerd, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	client := cri.NewImageServiceClient(connection)
	var pulled []string
	var failed []error
	for _, reference := range references(string(text)) {
		names, err := pull(ctx, client, reference)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", reference, err))
		}
		pulled = append(pulled, names...)
	}
	return pulled, errors.Join(failed...)
}

// pull returns the image's names in full.
func pull(ctx context.Context, client cri.ImageServiceClient, reference string) ([]string, error) {
	image := &cri.ImageSpec{Image: reference}
	if _, err := client.PullImage(ctx, &cri.PullImageRequest{Image: image}); err != nil {
		return nil, err
	}
	answer, err := client.ImageStatus(ctx, &cri.ImageStatusRequest{Image: image})
	if err != nil || answer.Image == nil {
		return nil, err
	}
	return append(answer.Image.RepoTags, answer.Image.RepoDigests...), nil
}

// references are one a line.
func references(text string) []string {
	var found []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			found = append(found, line)
		}
	}
	return found
}
