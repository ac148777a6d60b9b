"""Makes .venv, before anything is installed: the standard library alone, and every Python from 3.6 on.

An old Python has to come as far as the message that says that it is too old.
"""
