"""Installs k3s on hosts that are ready and joins them to a cluster; does not know what runs on it."""
