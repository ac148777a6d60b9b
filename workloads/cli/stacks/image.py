"""`piray image`: the Ray image as an archive, by a process of `infra`."""

from workloads.cli.stacks.forwarding import forwarded

command = forwarded("image", "infra.image", "Make the Ray image as an archive, without Docker.")
