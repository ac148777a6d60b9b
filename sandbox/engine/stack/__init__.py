"""Decides what is read and kept of a stack: its configuration and its state; performs nothing."""
