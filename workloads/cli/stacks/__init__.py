"""The commands that make, look at and supply stacks; each calls its part of infra as a program."""
