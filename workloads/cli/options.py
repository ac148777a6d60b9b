"""Decides which options commands share: where a workload runs, where its files go, how much is measured."""

import functools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workloads.runner import outputs_file, stack_outputs
from workloads.runner.embedded import EmbeddedTarget
from workloads.runner.follow import RunError
from workloads.runner.stack_outputs import StackError, StackOutputs

if TYPE_CHECKING:
    from workloads.runner.target import StackTarget, Target

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Place:
    """Where a workload runs and where its files go, as the options say.

    Attributes:
        stack_name: The stack whose cluster it runs on, if it was named.
        outputs_file: An open file with a stack's outputs, if one was given.
        output: Where the result files go.
    """

    stack_name: str | None
    outputs_file: Any
    output: Path

    @property
    def option(self) -> str:
        """The option that says so, for another command on the same cluster."""
        if self.stack_name is not None:
            return f"--stack {self.stack_name}"
        return f"--outputs {self.outputs_file.name}" if self.outputs_file is not None else ""

    def folder(self) -> Path:
        """Return the folder for the result files, made if it was missing.

        Raises:
            RunError: If nothing can be written there.
        """
        return writable(self.output, "--output")

    def target(self) -> "Target":
        """Return the target.

        Raises:
            StackError: If the stack's outputs cannot be used.
        """
        if self.stack_name is not None and self.outputs_file is not None:
            raise StackError("give --stack or --outputs, not both.")
        if self.outputs_file is not None:
            name = self.outputs_file.name
            return _stack_target(name, outputs_file.read_file(name, self.outputs_file.read()))
        if self.stack_name is not None:
            return _stack_target(self.stack_name, stack_outputs.read(self.stack_name))
        return EmbeddedTarget()


def writable(folder: Path, option: str) -> Path:
    """Return a folder for files, made if it was missing.

    Args:
        folder: Where files are to go.
        option: Which option says so.

    Raises:
        RunError: If nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{option} {folder} cannot be made ({error.strerror}): choose another folder."
        ) from None
    try:
        # Made and removed: permission bits alone say nothing of /proc or a read-only disk.
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise RunError(
            f"{option} {folder} cannot be written to ({error.strerror}): choose another folder."
        ) from None


def _stack_target(name: str, outputs: StackOutputs) -> "StackTarget":
    # The clients of Ray and Kubernetes take seconds to import on a slow machine, and only this needs them.
    from workloads.runner.target import StackTarget  # noqa: PLC0415

    return StackTarget(name, outputs, tell)


def tell(line: str) -> None:
    """Print one line about what is being done, beside what the command prints."""
    click.echo(f"piray: {line}", err=True)


def _stack_options(command: Command) -> Command:
    stack = click.option("--stack", "stack_name", metavar="NAME", help="Run on the cluster of this stack.")
    outputs = click.option(
        "--outputs",
        "outputs_file",
        type=click.File("rb"),
        help="Run on the cluster of the stack with these outputs: a file with the JSON that "
        "`pulumi stack output --json --show-secrets` prints; - for standard input.",
    )
    return stack(outputs(command))


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --stack, --outputs and --output; the command gets them as `place`, a `Place`."""

    @_stack_options
    @click.option(
        "--output",
        metavar="DIR",
        default=".",
        show_default=True,
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder for the result files.",
    )
    @functools.wraps(command)
    def with_place(*, stack_name: str | None, outputs_file: Any, output: Path, **others: Any) -> Any:
        return command(place=Place(stack_name, outputs_file, output), **others)

    return with_place


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --stack and --outputs, one of which is needed; the command gets the stack's cluster as `target`."""

    @_stack_options
    @functools.wraps(command)
    def with_target(*, stack_name: str | None, outputs_file: Any, **others: Any) -> Any:
        target = Place(stack_name, outputs_file, Path()).target()
        if isinstance(target, EmbeddedTarget):
            raise StackError(
                "this needs a cluster: name its stack, as in --stack home; for one on this machine alone: "
                "make up STACK=local, then --stack local."
            )
        return command(target=target, **others)

    return with_target


def row_options(repeats: int) -> Callable[[Command], Command]:
    """Add --workers and --repeats.

    Args:
        repeats: The default of --repeats.
    """
    workers = click.option(
        "--workers",
        metavar="MAX",
        type=click.IntRange(min=0),
        help="Largest number of workers to measure.  [default: all there are]",
    )
    times = click.option(
        "--repeats",
        type=click.IntRange(min=1),
        default=repeats,
        show_default=True,
        help="How often each number of workers is measured.",
    )
    return lambda command: workers(times(command))


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --stack and --outputs; the command gets them as `place`, a `Place` without files."""

    @_stack_options
    @functools.wraps(command)
    def with_place(*, stack_name: str | None, outputs_file: Any, **others: Any) -> Any:
        return command(place=Place(stack_name, outputs_file, Path()), **others)

    return with_place
