"""Declares Ray as the KubeRay operator runs it, and does on the cluster what Pulumi cannot."""
