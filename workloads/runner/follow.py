"""Decides what the runner makes of a driver's events: a progress bar, and a report when it has ended."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from workloads.protocol.events import Event, Parser, Picture

LOG_LINES = 30


class RunError(Exception):
    """The workload failed; one line that says what to do.

    Attributes:
        log: Last lines of the driver's output, where they help.
    """

    def __init__(self, message: str, log: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.log = log


@dataclass
class DriverReport:
    """What a driver told.

    Attributes:
        result: Values of the event "result".
        nodes: Nodes of the cluster, as the driver describes them.
        after: The condition of each node at the end, by its name; nodes that were lost are not in it.
        rounds: Values of every event "round".
        notes: What the user should know besides the result.
        picture: The picture, if the workload has one.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    nodes: list[Mapping[str, Any]] = field(default_factory=list)
    after: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rounds: list[Mapping[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    picture: Picture = field(default_factory=Picture)

    def node_facts(self, hosts: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
        """Return what is known of each node, for the result file.

        Args:
            hosts: What the stack knows of the nodes' hosts, by their names: a container does not see all.

        Returns:
            name, host, pod and `machine_facts` of each node, where `throttled` may be the stack's list of
            names; `throttled_after` and `temperature_after_c`, as they were at the end, None where nobody
            knows.
        """
        return tuple(self._facts_of(node, hosts.get(node["host"], {})) for node in self.nodes)

    def _facts_of(self, node: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
        facts: dict[str, Any] = {key: node[key] for key in ("name", "host", "pod")} | node["machine"]
        if facts["model"] is None:
            facts["model"] = host.get("model")
        if facts["throttled"] is None:
            facts["throttled"] = host.get("throttled")
        after = self.after.get(node["name"], {})
        facts["throttled_after"] = after.get("throttled")
        facts["temperature_after_c"] = after.get("temperature_c")
        return facts


def watch(
    pieces: Generator[str], unit: str, console: Console, tell: Callable[[Event], None] | None = None
) -> DriverReport:
    """Follow a driver to its end.

    Args:
        pieces: Its output, from `Target.run`; closed in any case, which stops a driver that still runs.
        unit: What progress counts.
        console: Where the progress bar is drawn.
        tell: Takes every event as it comes; there is no progress bar then.

    Raises:
        RunError: If the driver failed or told no result.
    """
    watcher = _Watcher(unit, console, quiet=tell is not None)
    with closing(pieces), watcher.bar:
        for item in _items(pieces):
            if tell is not None and isinstance(item, Event):
                tell(item)
            watcher.take(item)
    return watcher.finish()


def wait_for(pieces: Generator[str], kind: str) -> Event:
    """Return the first event of a kind that a driver tells; the driver goes on.

    Args:
        pieces: Its output, from `Target.run`.
        kind: What the driver tells before it ends.

    Raises:
        RunError: If the driver failed or ended before.
    """
    watcher = _Watcher("", Console(quiet=True), quiet=True)
    for item in _items(pieces):
        if isinstance(item, Event) and item.kind == kind:
            return item
        watcher.take(item)
    watcher.finish()
    raise RunError(f"the driver ended before it told of {kind}.")


def _items(pieces: Iterable[str]) -> Iterator[Event | str]:
    parser = Parser()
    for text in pieces:
        yield from parser.feed(text)
    yield from parser.close()


class _Watcher:
    def __init__(self, unit: str, console: Console, quiet: bool) -> None:
        self.report = DriverReport()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            # Into a file it would only write an empty line.
            disable=quiet or not console.is_terminal,
        )
        self._task: TaskID = self.bar.add_task("starting Ray", total=None)
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._error: Mapping[str, Any] | None = None
        self._ended: Mapping[str, Any] | None = None

    def take(self, item: Event | str) -> None:
        """Take an event or a plain line."""
        if isinstance(item, str):
            self._log.append(item)
            return
        if self.report.picture.add(item):
            return
        values = item.values
        match item.kind:
            case "nodes":
                self.report.nodes = list(values["nodes"])
                found, expected = len(self.report.nodes), values["expected"]
                if found < expected:
                    self.report.notes.append(
                        f"Only {found} of {expected} nodes joined Ray: look at the workers that are missing."
                    )
                self.bar.update(self._task, description=f"warming {found} node{'s' * (found != 1)}")
            case "progress":
                self.bar.update(
                    self._task, description="computing", completed=values["done"], total=values["total"]
                )
            case "round":
                self.report.rounds.append(values)
                self.bar.update(self._task, description="computing", completed=len(self.report.rounds))
            case "loss":
                self.report.notes.append(
                    f"Lost {len(values['lost'])} of row {values['workers']}'s workers on the way "
                    f"({', '.join(values['lost'])}): others computed their tiles; the time was not counted."
                )
            case "after":
                self.report.after = {node["name"]: node for node in values["nodes"]}
            case "result":
                self.report.result = values
            case "error":
                self._error = values
            case "ended":
                self._ended = values
            case _:
                pass

    def finish(self) -> DriverReport:
        """Return the report or raise what went wrong."""
        if self._error is not None:
            log = () if self._error.get("foreseen") else tuple(self._log)
            raise RunError(str(self._error["message"]), log)
        if self._ended is not None:
            lines = str(self._ended["message"]).strip().splitlines()
            reason = f": {lines[-1]}" if lines else ""
            raise RunError(
                f"the driver ended as {self._ended['status']} before it had a result{reason}",
                tuple(self._log),
            )
        if not self.report.result:
            raise RunError("the driver ended without a result.", tuple(self._log))
        return self.report
