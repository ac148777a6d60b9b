"""Decides how work is shared among cores and what more cores bring; knows nothing of Ray."""
