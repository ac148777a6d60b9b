"""A directory for a classroom without internet: filled on a machine that has one, checked anywhere."""
