"""Decides how the tiles of a picture are shared among Ray workers: who computes, and how much at once.

One long-lived actor for each CPU, pinned to its node and warmed before anything is timed. Actors pull their
work: fast ones do more of it. A lost actor costs only the tiles it had in hand.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from workloads.cluster import ANSWER_TIMEOUT_S, LOSSES, Node, WorkloadError, alive_ids, pinned
from workloads.mandelbrot import check_kernel, compute_tile, place, warm_up
from workloads.plan import Plan

# The next call waits at the actor while it computes, so that it never idles for the network.
CALLS_IN_HAND = 2
# Updates of pixels that are worth a call: some 10 ms of work beside the half millisecond that Ray takes.
UPDATES_PER_CALL = 8_000_000
# With fewer calls for each actor the last one to finish keeps the others waiting.
CALLS_PER_ACTOR = 8
# Bounds a result to a few MiB whatever the size of a tile.
PIXELS_PER_CALL = 500_000
REPAIR_TIMEOUT_S = 90.0
# Longer than any sensible call takes on a slow core; a cluster that hangs must not hang the run.
CALL_TIMEOUT_S = 1800.0


# Two CPUs of one node are two slots, so slots are compared by identity.
@dataclass(eq=False)
class Slot:
    """One CPU of one node, and the actor that holds it; None once the actor is lost."""

    node: Node
    actor: Any = None


@dataclass(frozen=True)
class Rendering:
    """One picture.

    Attributes:
        wall_s: Seconds from the first call to the last tile in its place.
        lost: Names of the nodes whose actor was lost on the way, one for each actor.
    """

    wall_s: float
    lost: tuple[str, ...]


def batches(plan: Plan, workers: int) -> list[tuple[int, int]]:
    """Cut the plan's tiles into calls.

    Returns:
        Half-open ranges of tile indices, in order, that cover every tile once.
    """
    pixels = plan.grid_width * plan.grid_height
    by_work = math.ceil(UPDATES_PER_CALL / (pixels * plan.max_iterations))
    by_balance = math.ceil(plan.n_tiles / (CALLS_PER_ACTOR * max(1, workers)))
    by_size = max(1, PIXELS_PER_CALL // pixels)
    size = max(1, min(by_work, by_balance, by_size))
    return [(begin, min(begin + size, plan.n_tiles)) for begin in range(0, plan.n_tiles, size)]


class Crew:
    """The actors that compute one plan.

    Args:
        plan: What they compute.
        slots: One node for each actor.
    """

    def __init__(self, plan: Plan, slots: Sequence[Node]) -> None:
        self._plan = plan
        self._tiles = list(plan.tiles())
        self.slots = [Slot(node) for node in slots]

    def warm(self) -> list[float]:
        """Start every actor that is missing, compile its kernel and check it against the reference.

        Returns:
            Cold seconds of each actor started.

        Raises:
            WorkloadError: If an actor does not get its CPU, or its kernel is wrong.
        """
        started = [slot for slot in self.slots if slot.actor is None]
        for slot in started:
            slot.actor = _RemoteWorker.options(**pinned(slot.node.node_id)).remote(self._plan.to_dict())
        answers = [slot.actor.warm.remote() for slot in started]
        try:
            return [float(seconds) for seconds in ray.get(answers, timeout=ANSWER_TIMEOUT_S)]
        except ray.exceptions.GetTimeoutError:
            raise WorkloadError(
                f"not every CPU of the cluster was free within {ANSWER_TIMEOUT_S:.0f} s: "
                "is another job running there?"
            ) from None
        except ray.exceptions.RayTaskError as error:
            raise WorkloadError(str(error.cause)) from error
        except LOSSES as error:
            raise WorkloadError(f"a Ray worker died before it could start ({_first_line(error)}).") from error

    def repair(self) -> None:
        """Replace lost actors whose node is still alive."""
        known = alive_ids()
        for slot in self.slots:
            if slot.actor is None and slot.node.node_id in known:
                actor = _RemoteWorker.options(**pinned(slot.node.node_id)).remote(self._plan.to_dict())
                # The node may die meanwhile, or may be dead without Ray having noticed: then it stays lost.
                with suppress(ray.exceptions.RayError):
                    ray.get(actor.warm.remote(), timeout=REPAIR_TIMEOUT_S)
                    slot.actor = actor

    def complete(self, count: int) -> bool:
        """Return whether each of the first `count` actors is there."""
        return all(slot.actor is not None for slot in self.slots[:count])

    def render(
        self, count: int, image: NDArray[np.float32], progress: Callable[[int], None] | None = None
    ) -> Rendering:
        """Compute the whole picture with the first `count` actors.

        Args:
            count: How many actors work.
            image: Shape (plan.height, plan.width); filled.
            progress: Called with the number of tiles that arrived.

        Raises:
            WorkloadError: If every actor is lost.
        """
        crew = [slot for slot in self.slots[:count] if slot.actor is not None]
        todo = deque(batches(self._plan, len(crew)))
        in_hand: dict[Any, tuple[Slot, tuple[int, int]]] = {}
        lost: list[str] = []
        begin = time.perf_counter()
        while todo or in_hand:
            self._hand_out(crew, todo, in_hand)
            if not in_hand:
                raise WorkloadError(
                    f"every Ray worker was lost ({', '.join(lost)}): look at their pods and logs."
                )
            done, _ = ray.wait(list(in_hand), num_returns=1, timeout=CALL_TIMEOUT_S)
            if not done:
                raise WorkloadError(f"no tile arrived for {CALL_TIMEOUT_S:.0f} s: is the cluster hanging?")
            slot, (first, last) = in_hand.pop(done[0])
            try:
                values = ray.get(done[0])
            except LOSSES:
                todo.append((first, last))
                if slot in crew:
                    crew.remove(slot)
                    lost.append(slot.node.name)
                    slot.actor = None
                continue
            for tile, part in zip(self._tiles[first:last], values, strict=True):
                place(image, tile, part)
            if progress is not None:
                progress(last - first)
        return Rendering(time.perf_counter() - begin, tuple(lost))

    @staticmethod
    def _hand_out(
        crew: Sequence[Slot], todo: deque[tuple[int, int]], in_hand: dict[Any, tuple[Slot, tuple[int, int]]]
    ) -> None:
        held = [sum(slot is holder for holder, _ in in_hand.values()) for slot in crew]
        for round_ in range(CALLS_IN_HAND):
            for slot, calls in zip(crew, held, strict=True):
                if todo and calls <= round_:
                    batch = todo.popleft()
                    in_hand[slot.actor.compute.remote(*batch)] = (slot, batch)


class _Worker:
    """Computes tiles of one plan on one CPU."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = Plan.from_dict(plan)
        self._tiles = list(self._plan.tiles())

    def warm(self) -> float:
        """Compile and check the kernel; return the cold seconds."""
        seconds = warm_up()
        check_kernel(self._plan)
        return seconds

    def compute(self, first: int, last: int) -> NDArray[np.float32]:
        """Return tiles first…last-1, of shape (last - first, grid_height, grid_width)."""
        return np.stack([compute_tile(self._plan, tile) for tile in self._tiles[first:last]])


# Not as a decorator: Ray's types then hide what it adds to the class.
_RemoteWorker: Any = ray.remote(max_restarts=0)(_Worker)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
