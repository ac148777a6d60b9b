"""Decides how π is estimated from random samples on one core, and what a pod of the π Job runs.

Its modules are also mounted into that pod, so they import NumPy and Numba and nothing else of this project,
but for `kernel`, which keeps the compiled code on disk.
"""
