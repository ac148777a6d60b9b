"""Declares infrastructure: imports Pulumi, never Ray or numba, and nothing of workloads."""
