"""`piray list`, `status` and `dashboard`: what the cluster of a stack does."""
