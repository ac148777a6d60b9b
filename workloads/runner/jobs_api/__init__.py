"""Decides how a job is brought to a Ray cluster, followed and stopped; knows nothing of stacks and results.

Only HTTP is needed, so the Python versions of this machine and of the cluster need not agree.
"""
