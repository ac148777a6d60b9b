"""Measures what the project promises against peers built for it: `python -m bench`."""
