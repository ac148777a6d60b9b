"""`piray mirror`: a directory for classes without internet, by a process of `infra`."""

from workloads.cli.stacks.forwarding import forwarded

command = forwarded("mirror", "infra.mirror", "Fill or check a directory for a classroom without internet.")
