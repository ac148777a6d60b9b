package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAProgramThatEndsIsReported(t *testing.T) {
	group := NewGroup()
	if err := group.Start("brief", "false"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-group.Ended():
		if !strings.HasPrefix(err.Error(), "brief exited") {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("nobody noticed")
	}
}

func TestStopEndsEvenWhatIgnoresIt(t *testing.T) {
	group := NewGroup()
	deaf := filepath.Join(t.TempDir(), "deaf")
	if err := group.Start("stubborn", "sh", "-c", "trap '' TERM; : >"+deaf+"; while :; do sleep 1; done"); err != nil {
		t.Fatal(err)
	}
	for _, err := os.Stat(deaf); err != nil; _, err = os.Stat(deaf) {
		time.Sleep(time.Millisecond)
	}
	group.Stop()
	select {
	case err := <-group.Ended():
		t.Errorf("a program that was stopped counts as failed: %v", err)
	default:
	}
	if err := group.Start("late", "true"); err == nil {
		t.Error("started after Stop")
	}
}

func TestChildrenGetNeitherSystemdsSocketNorTokens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/systemd/notify")
	t.Setenv("K3S_TOKEN", "secret")
	for _, variable := range Environment() {
		if strings.HasPrefix(variable, "NOTIFY_SOCKET=") || strings.HasPrefix(variable, "K3S_TOKEN=") {
			t.Error(variable)
		}
	}
}
