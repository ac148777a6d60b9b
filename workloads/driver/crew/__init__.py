"""Decides who computes a picture's bands and how they are shared out; knows nothing of rows or events."""
