"""Declares the parallel π Job on any Kubernetes; knows nothing of Ray."""
