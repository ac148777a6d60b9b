"""Decides which components a platform is made of and what of them the runner is told; knows no resource."""
