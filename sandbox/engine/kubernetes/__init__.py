"""Kubernetes objects as pulumi-kubernetes creates, updates and awaits them."""
