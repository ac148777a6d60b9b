"""`python -m infra.delivery`, which Pulumi runs on the user's machine; reads a Task from stdin."""

import sys
import tempfile
from functools import partial
from pathlib import Path

from infra.delivery.archive import find_archive
from infra.delivery.deliver import deliver
from infra.delivery.node import Node
from infra.delivery.problems import DeliveryError
from infra.delivery.reference import full_reference
from infra.delivery.task import Task


def main(text: str) -> int:
    """Do what a task says; return the exit code."""
    task = Task.from_json(text)
    archive = None
    if task.source.kind in ("archive", "build"):
        archive = partial(find_archive, task.source, task.image, task.arch, _say)
    with tempfile.TemporaryDirectory(prefix="piray-delivery-") as folder:
        nodes = [Node(host, task.ssh, full_reference(task.image), Path(folder)) for host in task.hosts]
        try:
            deliver(nodes, archive, _say)
        except DeliveryError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def _say(line: str) -> None:
    print(f"piray: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.stdin.read()))
