"""Decides what is done to each resource and in which order; must not know how a provider does it."""
