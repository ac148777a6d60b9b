"""What can be wrong with a mirror."""


class MirrorError(Exception):
    """A part of a mirror is missing or wrong; the text says which, the rule, and what to do."""
