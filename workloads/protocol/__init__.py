"""Decides what passes between runner and driver; standard library only, so that both can import all of it."""
