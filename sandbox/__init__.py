"""Simulated Raspberry Pis with a real Kubernetes on them, for trying the program with no Pis."""
