package join

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
)

const namespace = "kube-system"

var errRejected = errors.New("node password rejected")

// ensureNodePassword keeps a hash of the first password a name comes with, and refuses any other one afterwards.
// The Secret's name is k3s's; it goes when the Node is deleted (ForgetNode).
func ensureNodePassword(ctx context.Context, client kubernetes.Interface, name, password string) error {
	if len(validation.IsDNS1123Subdomain(name)) > 0 || password == "" {
		return fmt.Errorf("%w: node name %q or its password is not valid", errRejected, name)
	}
	hash, err := pbkdf2.Key(sha256.New, password, []byte(name), 1000, sha256.Size)
	if err != nil {
		return err
	}
	wanted := []byte(hex.EncodeToString(hash))
	immutable := true
	secret := &core.Secret{
		ObjectMeta: meta.ObjectMeta{Name: secretName(name), Namespace: namespace},
		Immutable:  &immutable,
		Data:       map[string][]byte{"hash": wanted},
	}
	_, err = client.CoreV1().Secrets(namespace).Create(ctx, secret, meta.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	known, err := client.CoreV1().Secrets(namespace).Get(ctx, secretName(name), meta.GetOptions{})
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(known.Data["hash"], wanted) != 1 {
		return fmt.Errorf("%w: hash does not match for node %s", errRejected, name)
	}
	return nil
}

// ForgetNode lets another host take the name.
func ForgetNode(ctx context.Context, client kubernetes.Interface, name string) error {
	err := client.CoreV1().Secrets(namespace).Delete(ctx, secretName(name), meta.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func secretName(node string) string {
	return node + ".node-password.k3s"
}
