"""Tells in words what `pulumi preview --json` says, for a comment in a pull request; declares nothing."""
