"""`python -m bench.mocked PROGRAM < CONFIG`: runs a Pulumi program under mocks and tells what that took.

Config and answer are JSON. A process of its own for each run, so that its peak of memory is the program's.
"""

import asyncio
import json
import resource
import runpy
import sys
import time
from collections import Counter
from typing import Any

from pulumi.runtime import MockCallArgs, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_pulumi_func

from sandbox.engine.program.mocks import command_answer


class Counting(Mocks):
    """Answers as hosts and a cluster would, and counts what is registered."""

    def __init__(self) -> None:
        self.registered: Counter[str] = Counter()

    def call(self, args: MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        """Refuse: a program that calls providers would need them for a preview."""
        raise AssertionError(f"the program called {args.token}")

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """Count a resource and tell its id and outputs."""
        self.registered[args.typ] += 1
        return f"{args.name}-id", {**args.inputs, **command_answer(args)}


def main() -> None:
    """Run the program and print CPU seconds, the peak of memory in MB and the number of resources."""
    config = json.load(sys.stdin)
    mocks = Counting()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    begin = time.process_time()
    set_mocks(mocks, project="piray", stack="bench", preview=False)
    set_all_config(config, [])

    def program() -> None:
        runpy.run_path(sys.argv[1], run_name="__main__")

    loop.run_until_complete(run_pulumi_func(program))
    seconds = time.process_time() - begin
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, "resources": mocks.registered.total()}))


if __name__ == "__main__":
    main()
