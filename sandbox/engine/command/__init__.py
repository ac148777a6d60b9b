"""Decides how commands run, as pulumi-command does; must not know when, or what they are for."""
