"""Declares infrastructure with Pulumi: hosts, k3s, Ray and the π Job; knows nothing of `workloads`.

Pure functions decide, components declare. What the runner needs to know is in the stack's outputs.
"""
