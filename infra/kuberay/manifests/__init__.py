"""The Kubernetes objects of KubeRay mode as plain dicts: config in, `metadata` and `spec` out; no pulumi."""
