"""The programs that a driver can run; registry.py has their names."""
