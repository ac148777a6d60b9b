"""Decides how Kubernetes objects are made and awaited, as pulumi-kubernetes does; not in which order."""
