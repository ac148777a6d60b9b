package cgroups

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const header = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"

func TestTheMemoryControllerIsDemanded(t *testing.T) {
	for _, example := range []struct{ file, text, refusal string }{
		{"proc/cgroups", header + "memory\t0\t20\t0\n", "failed to find memory cgroup,"},
		{"proc/cgroups", header + "memory\t4\t23\t1\n", ""},
		{"sys/fs/cgroup/cgroup.controllers", "cpuset cpu io pids\n", "failed to find memory cgroup (v2)"},
		{"sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n", ""},
	} {
		root := t.TempDir()
		path := filepath.Join(root, example.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(example.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Check(root)
		if (err == nil) != (example.refusal == "") || err != nil && !strings.HasPrefix(err.Error(), example.refusal) {
			t.Errorf("%s %q: %v", example.file, example.text, err)
		}
	}
}
