"""Computes and measures: the workloads, the driver beside Ray, and the `piray` command.

Code for the user's machine is in `results`, `runner` and `cli`; code beside Ray is in `driver`; the rest
serves both. It knows nothing of Pulumi and never imports `infra`: a stack's outputs are all it gets.
"""
