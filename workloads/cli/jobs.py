"""`piray submit`, `jobs`, `logs` and `stop`: a user's own jobs on the cluster of a stack."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workloads.cli.options import Place, cluster_options, target_options, tell, writable
from workloads.runner.embedded import EmbeddedTarget
from workloads.runner.jobs_api.job import Job, new_id
from workloads.runner.jobs_api.parcels import Unpacker, apart
from workloads.runner.jobs_api.work import Work, WorkError, work_of
from workloads.runner.signals import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from workloads.runner.target import StackTarget

# The exit status where the job's command has none of its own; a shell says 143 of a command that was stopped.
_STATUS = {"SUCCEEDED": 0, "STOPPED": 143}
_FAILED = 1
# What a shell adds to the number of a signal.
_SIGNALLED = 128
_COMMAND_CHARACTERS = 60


@click.command("submit", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="SCRIPT|-- COMMAND…")
@click.option(
    "--working-dir",
    "folder",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that the job brings, without what its .gitignore or .rayignore names.  "
    "[default: the script alone]",
)
@click.option(
    "--pip", multiple=True, metavar="PACKAGE|FILE.txt", help="What the job installs first; more than once."
)
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="A variable; more than once.")
@click.option(
    "--fetch",
    multiple=True,
    metavar="PATTERN",
    help="Files that the job writes, brought here when it has ended, as in '*.png'; more than once.",
)
@click.option(
    "--fetch-to",
    "fetch_to",
    metavar="DIR",
    default=".",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for these files.",
)
@click.option("--detach", is_flag=True, help="Print the job's id and do not wait for its end.")
@target_options
def submit(
    *,
    command: tuple[str, ...],
    folder: Path | None,
    pip: tuple[str, ...],
    variables: tuple[str, ...],
    fetch: tuple[str, ...],
    fetch_to: Path,
    detach: bool,
    place: Place,
) -> None:
    """Run a script or a command of your own on the cluster, as a job of Ray.

    Without a stack it runs on this machine, on a Ray that ends with it. What the job writes is shown while it
    runs, and its exit status is that of this command. Ctrl-C stops the job. Options of the script that piray
    has as well go behind a --.
    """
    target = place.target()
    alone = isinstance(target, EmbeddedTarget)
    if detach:
        _check_detached(alone, bool(fetch))
    work = work_of(command, folder=folder, pip=pip, variables=variables, own_folder=alone, fetch=fetch)
    into = writable(fetch_to, "--fetch-to") if fetch else fetch_to
    if isinstance(target, EmbeddedTarget):
        _submit_alone(work, into)
    elif detach:
        _leave(target, work, place.option)
    else:
        _submit(target, work, into)


def _check_detached(alone: bool, fetch: bool) -> None:
    problems = []
    if alone:
        problems.append(
            "--detach needs a cluster that goes on: name its stack, as in --stack home; without one the job "
            "runs on a Ray of this machine that ends with it"
        )
    if fetch:
        problems.append(
            "--fetch brings files when the job has ended, and --detach does not wait for that: give one"
        )
    if problems:
        raise WorkError("; ".join(problems) + ".")


def _leave(target: "StackTarget", work: Work, option: str) -> None:
    job = new_id("job")
    with target.jobs() as jobs, target.stopped_unless_left(jobs, job):
        target.start(jobs, job, work)
        click.echo(job)
        target.tell(f"follow it with: piray logs {job} --follow {option}")


def _submit(target: "StackTarget", work: Work, into: Path) -> None:
    job, unpacker = new_id("job"), Unpacker(into)
    with target.jobs() as jobs, target.stopped_unless_left(jobs, job):
        target.start(jobs, job, work)
        target.tell(f"job {job}")
        _show(jobs.follow(job), unpacker.take)
        ended = jobs.get(job)
    if work.wanted:
        for note in unpacker.finish():
            target.tell(note)
    end(ended, target.tell)


def _submit_alone(work: Work, into: Path) -> None:
    # Ray takes seconds to import.
    from workloads.runner.embedded_cluster import embedded_cluster  # noqa: PLC0415

    tell("starting Ray on this machine …")
    with embedded_cluster(tell) as cluster:
        _submit(cluster, work, into)


@click.command("jobs")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@cluster_options
def list_jobs(*, as_json: bool, target: "StackTarget") -> None:
    """List the jobs that the cluster still knows, the newest first."""
    with target.jobs() as jobs:
        known = jobs.all()
    if as_json:
        click.echo(json.dumps([asdict(job) for job in known], indent=2))
    else:
        Console().print(jobs_table(target.name, known, time.time()))


@click.command("logs")
@click.argument("job", metavar="ID")
@click.option("--follow", is_flag=True, help="Go on until the job ends.")
@cluster_options
def logs(*, job: str, follow: bool, target: "StackTarget") -> None:
    """Print what a job has written.

    ID may be the beginning of an id, or of its last part.
    """
    with target.jobs() as jobs:
        found = jobs.find(job)
        if not follow:
            _show([jobs.log(found.id)])
            return
        try:
            _show(jobs.follow(found.id))
        except KeyboardInterrupt:
            target.tell(f"you no longer follow job {found.id}. It goes on; piray stop {found.id} stops it.")
            raise click.exceptions.Exit(EXIT_INTERRUPTED) from None


@click.command("stop")
@click.argument("job", metavar="ID")
@cluster_options
def stop(*, job: str, target: "StackTarget") -> None:
    """Stop a job.

    ID may be the beginning of an id, or of its last part.
    """
    with target.jobs() as jobs:
        found = jobs.find(job)
        if found.ended_s is not None:
            click.echo(f"job {found.id} has ended already: {found.status}")
        elif target.stop(jobs, found.id):
            click.echo(f"stopped {found.id}")
        else:
            raise click.exceptions.Exit(_FAILED)


def jobs_table(target: str, known: Sequence[Job], now_s: float) -> Table:
    """Build the table of jobs.

    Args:
        target: Name of the cluster.
        known: The jobs, in their order.
        now_s: Seconds since 1970.
    """
    table = Table(title=f"Jobs on {target}", title_justify="left")
    table.add_column("Id", no_wrap=True)
    table.add_column("Status")
    table.add_column("Started")
    table.add_column("Took", justify="right")
    table.add_column("Command", overflow="fold")
    for job in known:
        started = (
            "-" if job.started_s is None else time.strftime("%d %b %H:%M", time.localtime(job.started_s))
        )
        took = "-" if job.started_s is None else _duration((job.ended_s or now_s) - job.started_s)
        code = f" ({job.exit_code})" if job.exit_code else ""
        table.add_row(job.id, f"{job.status}{code}", started, took, escape(short(job.entrypoint)))
    return table


def short(command: str) -> str:
    """Return a command in one line that fits the table: of long paths the names alone."""
    command = " ".join(command.split())
    if len(command) > _COMMAND_CHARACTERS:
        command = " ".join(_last_part(word) for word in command.split())
    if len(command) > _COMMAND_CHARACTERS:
        command = f"{command[: _COMMAND_CHARACTERS - 1]}…"
    return command


def _last_part(word: str) -> str:
    folder, slash, name = word.rpartition("/")
    return f"…/{name}" if slash and len(folder) > 1 and name else word


def _show(pieces: Iterable[str], take: Callable[[Mapping[str, Any]], None] | None = None) -> None:
    for text in apart(pieces, take):
        sys.stdout.write(text)
        sys.stdout.flush()


def end(job: Job, tell: Callable[[str], Any]) -> None:
    """End with the exit status of a job that has ended."""
    code = _STATUS.get(job.status, _shell_status(job.exit_code))
    if code:
        tell(f"job {job.id} ended as {job.status}{_reason(job)}")
        raise click.exceptions.Exit(code)


def _shell_status(code: int | None) -> int:
    """Return an exit status as a shell has it, which is positive also where a signal ended a command."""
    return _FAILED if not code else code if code > 0 else _SIGNALLED - code


def _reason(job: Job) -> str:
    """Say why a job has failed; its log, which is shown, does not know what was before its command."""
    if job.status != "FAILED":
        return ""
    if job.exit_code is None:
        lines = job.message.strip().splitlines()
        return f": {lines[-1]}" if lines else ""
    code = _shell_status(job.exit_code)
    names = {_SIGNALLED + one.value: one.name for one in signal.Signals}
    what = f" (as after the signal {names[code]})" if code in names else ""
    return f": its command ended with exit status {code}{what}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
