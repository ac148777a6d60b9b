"""Decides how a driver is started from the user's machine, on a cluster or here, and followed."""
