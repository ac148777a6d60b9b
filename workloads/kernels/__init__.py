"""Decides how compiled kernels are kept on disk and found again; knows no kernel and no workload."""
