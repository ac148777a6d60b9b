"""Declares a Ray cluster on any Kubernetes; knows neither hosts nor how the cluster came to be."""
