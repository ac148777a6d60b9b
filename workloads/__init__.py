"""Computes and measures: imports Ray, NumPy and numba, never Pulumi, and nothing of infra."""
