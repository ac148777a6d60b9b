"""Decides how a Pulumi program runs where no engine is: its event loop, and who answers its requests."""
