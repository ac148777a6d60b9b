"""Says whether a custom resource has become what was asked for, and if not, why, and whether it ever will."""
