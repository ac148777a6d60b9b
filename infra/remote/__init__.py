"""Decides how a script reaches a host and runs there as root; does not know what the scripts do."""
