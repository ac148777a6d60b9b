"""Reaches a cluster from the user's machine, starts a driver there and follows it; prints no table."""
