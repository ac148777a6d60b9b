"""Starts a Ray head and workers on this machine, for platform `local`; knows neither hosts nor Kubernetes."""
