"""Decides who computes a picture: one long-lived Ray actor for each CPU, warmed before anything is timed.

Actors get numbers. Those on the driver's node put their bands straight into the canvas's file; others return
colour indices, one byte a pixel. A lost actor costs only the bands it had in hand; a late one is overtaken by
a copy.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray

from workloads.driver.crew.rendering import Rendering
from workloads.driver.crew.worker import Slot, start_worker
from workloads.driver.nodes import ANSWER_TIMEOUT_S, LOSSES, Node, WorkloadError, alive_ids, answered
from workloads.mandelbrot.canvas import Canvas
from workloads.mandelbrot.plan import Plan

REPAIR_TIMEOUT_S = 90.0
# Longer than any sensible call takes on a slow core; a cluster that hangs must not hang the run.
CALL_TIMEOUT_S = 1800.0
# How long an actor may go on with a copy that nobody needs any more before it counts as lost.
SETTLE_TIMEOUT_S = 60.0
# Calls that tell what a call costs.
TRIAL_CALLS = 100


@dataclass(frozen=True)
class Rendered:
    """A finished picture.

    Attributes:
        wall_s: Seconds from the first call to the last band in its place.
        busy_s: Seconds that the actors computed, summed.
        calls: How many calls were made.
        lost: Names of the nodes whose actor was lost on the way, one for each actor.
    """

    wall_s: float
    busy_s: float
    calls: int
    lost: tuple[str, ...]


class Crew:
    """The actors that compute pictures.

    Args:
        slots: One node for each actor.

    Attributes:
        call_s: Seconds a call takes beside its work, once `warm` has measured it.
        compiled: How many kernels the actors had to compile; the others they found on disk.
    """

    def __init__(self, slots: Sequence[Node]) -> None:
        own = ray.get_runtime_context().get_node_id()
        self.slots = [Slot(node, shared=node.node_id == own) for node in slots]
        self.call_s = 0.0
        self.compiled = 0
        self._unneeded: dict[Future[Any], Slot] = {}

    def warm(self) -> list[float]:
        """Start the actors, compile their kernels, and measure what each can do and what a call costs.

        Returns:
            Seconds until each actor's kernel was ready.

        Raises:
            WorkloadError: If an actor does not get its CPU.
        """
        for slot in self.slots:
            slot.actor = start_worker(slot.node)
        answers = self._ask("warm")
        for slot, (_, speed, _) in zip(self.slots, answers, strict=True):
            slot.speed = speed
        self.compiled = sum(compiled for *_, compiled in answers)
        if self.slots:
            self.call_s = self._call_seconds()
        return [cold_s for cold_s, *_ in answers]

    def check(self, plan: Plan) -> None:
        """Compare every actor's kernel with the reference on parts of a plan.

        Raises:
            WorkloadError: If one is wrong.
        """
        self._ask("check", plan)

    def repair(self, plan: Plan) -> None:
        """Replace lost actors whose node is still alive, and check their kernels by a plan."""
        known = alive_ids()
        for slot in self.slots:
            if slot.actor is None and slot.node.node_id in known:
                actor = start_worker(slot.node)
                # The node may die meanwhile, or may be dead without Ray having noticed: then it stays lost.
                with suppress(ray.exceptions.RayError):
                    _, slot.speed, _ = ray.get(actor.warm.remote(), timeout=REPAIR_TIMEOUT_S)
                    ray.get(actor.check.remote(plan), timeout=REPAIR_TIMEOUT_S)
                    slot.actor = actor

    def settle(self) -> tuple[str, ...]:
        """Wait for actors that still compute what nobody needs, so that the next picture finds them idle.

        Returns:
            Names of the nodes whose actor was lost meanwhile, or did not come to an end.
        """
        lost = []
        ended = wait(self._unneeded, timeout=SETTLE_TIMEOUT_S).done
        for call, slot in self._unneeded.items():
            if slot.actor is not None and (call not in ended or isinstance(call.exception(), LOSSES)):
                ray.kill(slot.actor)
                slot.actor = None
                lost.append(slot.node.name)
        self._unneeded.clear()
        return tuple(lost)

    def conditions(self) -> list[dict[str, Any]]:
        """Ask one actor of each node how its node is; to be called at once after the last picture.

        A Pi's kernel tells of throttling for a few seconds only, and starting a process takes longer.

        Returns:
            As `answered`.
        """
        actors = {slot.node.name: slot.actor for slot in self.slots if slot.actor is not None}
        return answered({actor.condition.remote(): name for name, actor in actors.items()})

    def complete(self, count: int) -> bool:
        """Return whether each of the first `count` actors is there."""
        return all(slot.actor is not None for slot in self.slots[:count])

    def cores(self, count: int) -> list[int]:
        """Return how many of the first `count` actors are on each node, the driver's first, be it 0."""
        far = Counter(slot.node.node_id for slot in self.slots[:count] if not slot.shared)
        return [count - far.total(), *far.values()]

    def render(self, canvas: Canvas, count: int, progress: Callable[[int], None] | None = None) -> Rendered:
        """Compute a picture with the first `count` actors.

        Args:
            canvas: Filled.
            count: How many actors work.
            progress: Called with the number of pixels that arrived.

        Raises:
            WorkloadError: If every actor is lost.
        """
        begin = time.perf_counter()
        run = Rendering(canvas, self.slots[:count], self.call_s)
        run.hand_out(range(count))
        heard = time.perf_counter()
        while not run.schedule.finished:
            arrivals = run.wait()
            for arrival in arrivals:
                heard = time.perf_counter()
                pixels = run.take(arrival)
                if pixels and progress is not None:
                    progress(pixels)
            run.hand_out({arrival.worker for arrival in arrivals})
            if time.perf_counter() - heard > CALL_TIMEOUT_S:
                raise WorkloadError(f"no band arrived for {CALL_TIMEOUT_S:.0f} s: is the cluster hanging?")
        wall_s = time.perf_counter() - begin
        for slot, speed in zip(run.slots, run.schedule.speeds, strict=True):
            slot.speed = speed
        self._unneeded = {call.future: run.slots[call.worker] for call in run.in_hand}
        return Rendered(wall_s, run.busy_s, run.calls, tuple(run.lost))

    def _ask(self, method: str, *arguments: Any) -> list[Any]:
        """Call a method of every actor that is there and return the answers."""
        calls = [getattr(slot.actor, method).remote(*arguments) for slot in self.slots if slot.actor]
        try:
            answers: list[Any] = ray.get(calls, timeout=ANSWER_TIMEOUT_S)
        except ray.exceptions.GetTimeoutError:
            raise WorkloadError(
                f"not every CPU of the cluster was free within {ANSWER_TIMEOUT_S:.0f} s: "
                "is another job running there?"
            ) from None
        except ray.exceptions.RayTaskError as error:
            raise WorkloadError(str(error.cause)) from error
        except LOSSES as error:
            raise WorkloadError(f"a Ray worker died before it could start ({_first_line(error)}).") from error
        return answers

    def _call_seconds(self) -> float:
        """Measure what a call costs while every actor has the next one waiting."""
        rounds = -(-TRIAL_CALLS // len(self.slots))
        self._ask("ping")
        begin = time.perf_counter()
        calls = [slot.actor.ping.remote() for _ in range(rounds) for slot in self.slots]
        ray.get(calls, timeout=ANSWER_TIMEOUT_S)
        return (time.perf_counter() - begin) / len(calls)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
