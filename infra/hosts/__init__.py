"""Makes hosts ready for Kubernetes: checks, kernel options, reboot. Knows nothing of k3s."""
