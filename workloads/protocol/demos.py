"""Decides which demos there are, and what each shows, in one line."""

from pathlib import PurePosixPath

# A line completes the sentence "This demo shows …".
DEMOS = {
    "tasks": "functions that run on any node: waited for one after the other, and all at once",
    "actors": "objects that live on a node and remember: ten counters",
    "objects": "values that travel by reference: one big array in the memory of all workers of a node",
    "placement-groups": "CPUs that are reserved together, close (PACK) or apart (SPREAD)",
    "environment": "what one task needs: variables, a working directory, a package",
    "serve": "a small web application, answered by several replicas",
    "autoscaling": "tasks that wait, a worker that comes for them and goes again",
    "failures": "a worker process that dies, an actor that comes back, a task that raises",
}


def source_file(name: str) -> PurePosixPath:
    """Return the path of a demo's program within the package `workloads`."""
    return PurePosixPath("driver/demos") / f"{name.replace('-', '_')}.py"
