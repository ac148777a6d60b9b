"""Decides how a driver is started, on a cluster or here, and followed; knows no option, prints no table."""
