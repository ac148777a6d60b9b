"""Decides what a result is and how it becomes a file, a picture or a table; knows nothing of Ray."""
