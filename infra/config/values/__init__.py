"""Single values of a stack's configuration, each checked by itself; knows no key and no other value."""
