"""Decides what becomes of a stack whose last `up` or `down` was cut off; must not start the CLI."""
