// Package cgroups looks at what the kernel was booted with.
package cgroups

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// Check refuses a kernel without the memory controller, in k3s's words.
func Check(root string) error {
	if text, err := os.ReadFile(root + "/sys/fs/cgroup/cgroup.controllers"); err == nil {
		if !slices.Contains(strings.Fields(string(text)), "memory") {
			return errors.New("failed to find memory cgroup (v2)")
		}
		return nil
	}
	text, err := os.ReadFile(root + "/proc/cgroups")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(text), "\n") {
		if words := strings.Fields(line); len(words) == 4 && words[0] == "memory" && words[3] == "1" {
			return nil
		}
	}
	return errors.New(`failed to find memory cgroup, you may need to add "cgroup_memory=1 cgroup_enable=memory" to your linux ` +
		`cmdline (/boot/cmdline.txt on a Raspberry Pi)`)
}
