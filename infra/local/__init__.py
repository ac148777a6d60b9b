"""Starts a Ray head and workers on this machine, for platform `local`; knows neither hosts nor Kubernetes.

The program declares `component`; Pulumi then runs `python -m infra.local`, which does the work. Ray is a
program to be started here, never a library to import.
"""
