"""How the program lives in its process: which CLI it needs, how it is interrupted, what it waits for."""

import gc
import signal
from contextlib import suppress
from functools import partial
from typing import Any

import pulumi

from infra.outputs import StackOutputs, values_of
from infra.versions import PULUMI_CLI_MIN


def begin() -> None:
    """Prepare the process and check the CLI.

    Raises:
        RunError: If the CLI is too old; shown without a traceback.
    """
    _live_with_garbage()
    _end_without_traceback()
    _require_cli()


def wait(outputs: StackOutputs) -> None:
    """Wait until all outputs are known, or never will be.

    A program that is over sooner is waited for by the SDK, which then looks at every open output whenever one
    of them is done: more than an hour for a thousand hosts.
    https://github.com/pulumi/pulumi/blob/master/sdk/python/lib/pulumi/runtime/stack.py (wait_for_rpcs)
    """
    with suppress(pulumi.RunError):  # Pulumi's mocks end a program with its module.
        pulumi.run(partial(_wait, pulumi.Output.all(**values_of(outputs))))


def _live_with_garbage() -> None:
    """Look for no garbage: what the program makes lives as long as it does.

    With 1000 hosts a third of its time would go into the search.
    """
    gc.disable()


def _end_without_traceback() -> None:
    """Let SIGINT end this process at once.

    When a resource fails, the CLI ends the program by SIGINT while it waits for the next resource. Python
    would answer with a KeyboardInterrupt and print a traceback beside the error that the user has to read.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _require_cli() -> None:
    try:
        pulumi.require_pulumi_version(f">={PULUMI_CLI_MIN}")
    except Exception as error:  # the SDK raises nothing more special
        raise pulumi.RunError(
            f"{error}\npiray needs pulumi {PULUMI_CLI_MIN} or newer: update it "
            "(https://www.pulumi.com/docs/install/), or take it off PATH, and `make` installs the right one."
        ) from None


async def _wait(output: pulumi.Output[Any]) -> None:
    # What has gone wrong is told by whoever waits for the resources.
    with suppress(Exception):
        await output.future()
