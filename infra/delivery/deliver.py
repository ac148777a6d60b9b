"""The way of the image: to one Node, from there to the others; what the cluster has is not sent again."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from infra.delivery.archive import Archive
from infra.delivery.node import Node, Sight
from infra.delivery.problems import DeliveryError

# Of the Nodes that get it from one other over its one network card, and of the machine that sends to several.
_AT_ONCE = 4
# The archive, its layers as they came, and what they unpack to: four times as much.
_ROOM = 6
_SAY_EVERY_S = 10.0
_MB = 1e6

Say = Callable[[str], None]
Result = TypeVar("Result")


def deliver(nodes: Sequence[Node], find_archive: Callable[[], Archive] | None, say: Say) -> None:
    """Bring the image to every Node.

    Args:
        nodes: The Nodes; where none has it, the first one gets it first.
        find_archive: Returns the archive on this machine; None where the image comes from a registry.
        say: Gets one line for each step.

    Raises:
        DeliveryError: If a Node is left without it; the others have it then.
    """
    sights = _each(lambda node: node.look(), nodes)
    lacking = [node for node, sight in zip(nodes, sights, strict=True) if not sight.there]
    if lacking:
        say(f"the Ray image is on {len(nodes) - len(lacking)} of {len(nodes)} nodes")
        archive = None
        if len(lacking) == len(nodes):
            archive = _bring_first(nodes, find_archive, say)
            lacking = list(lacking[1:])
        _bring_others(lacking, archive, find_archive, say)
        say(f"the Ray image is on {len(nodes)} of {len(nodes)} nodes")
    _each(lambda node: node.keep(), nodes)


def _bring_first(
    nodes: Sequence[Node], find_archive: Callable[[], Archive] | None, say: Say
) -> Archive | None:
    first = nodes[0]
    if find_archive is None:
        say(f"{first.name} gets the Ray image from its registry")
        first.pull()
        return None
    archive = find_archive()
    sights = _each(lambda node: node.look(archive), nodes)
    _check_room(nodes, sights, archive)
    _send(first, sights[0], archive, say)
    return archive


def _bring_others(
    nodes: Sequence[Node],
    archive: Archive | None,
    find_archive: Callable[[], Archive] | None,
    say: Say,
) -> None:
    failed: list[tuple[Node, DeliveryError]] = []
    for node, error in zip(nodes, _tried(lambda node: node.pull(), nodes), strict=True):
        if isinstance(error, DeliveryError):
            failed.append((node, error))
        else:
            say(f"{node.name} has the Ray image")
    if not failed:
        return
    if find_archive is None:
        raise DeliveryError([line for _, error in failed for line in error.problems])
    for _, error in failed:
        say(f"{error.problems[0].removeprefix('piray: ')}: it is sent from this machine instead")
    given = archive or find_archive()
    lacking = [node for node, _ in failed]
    sights = _each(lambda node: node.look(given), lacking)
    _check_room(lacking, sights, given)
    places = dict(zip(lacking, sights, strict=True))
    _each(lambda node: _send(node, places[node], given, say), lacking)


def _check_room(nodes: Sequence[Node], sights: Sequence[Sight], archive: Archive) -> None:
    needed = _ROOM * archive.size
    problems = [
        f"piray: {node.name}: k3s's data directory has {sight.free / _MB:.0f} MB free; the Ray image takes "
        f"{needed / _MB:.0f} MB there while it is unpacked; make room (sudo apt-get clean), or use a "
        "larger card"
        for node, sight in zip(nodes, sights, strict=True)
        if not sight.there and sight.free + sight.received < needed
    ]
    if problems:
        raise DeliveryError(problems)


def _send(node: Node, sight: Sight, archive: Archive, say: Say) -> None:
    begin = min(sight.received, archive.size)
    whole = f"{archive.size / _MB:.0f} MB"
    say(f"{node.name} gets the Ray image from this machine: {begin / _MB:.0f} of {whole}")
    said = time.monotonic()

    def progress(sent: int) -> None:
        nonlocal said
        if time.monotonic() - said > _SAY_EVERY_S:
            said = time.monotonic()
            say(f"{node.name}: {sent / _MB:.0f} of {whole}")

    node.send(archive, begin, progress)
    say(f"{node.name} has the Ray image")


def _each(step: Callable[[Node], Result], nodes: Iterable[Node]) -> list[Result]:
    """Do something on several Nodes at once, and tell all that went wrong."""
    outcomes = _tried(step, nodes)
    if problems := [
        line for outcome in outcomes if isinstance(outcome, DeliveryError) for line in outcome.problems
    ]:
        raise DeliveryError(problems)
    return [outcome for outcome in outcomes if not isinstance(outcome, DeliveryError)]


def _tried(step: Callable[[Node], Result], nodes: Iterable[Node]) -> list[Result | DeliveryError]:
    """Do something on several Nodes at once, and return what came of it on each."""

    def attempt(node: Node) -> Result | DeliveryError:
        try:
            return step(node)
        except DeliveryError as error:
            return error

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
        return list(threads.map(attempt, nodes))
