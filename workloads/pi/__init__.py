"""Decides how π is estimated from random samples on one core, and what a pod of the π Job runs.

`infra.pi_job` mounts `pod` and what it imports into the Job's pods. So these modules need NumPy and, if it is
there, Numba; nothing else. `kernel` keeps the compiled code on disk, beside Ray and on the user's machine.
"""
