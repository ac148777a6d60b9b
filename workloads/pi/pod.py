"""The program of one index of the π Job: counts the index's own stream and leaves the count for Kubernetes.

Runs in a pod beside an interpreter and NumPy, with those modules of this project that `infra.pi_job` mounts
there. Where there is no Numba, NumPy counts the same, only more slowly.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workloads.pi.estimate import Estimate
from workloads.pi.philox import MAX_KEY, MAX_SAMPLES, Count, count_arrays, count_inside

try:
    from workloads.pi import codegen
except ImportError:
    # Ray's official image has no Numba.
    codegen = None  # type: ignore[assignment]  # a module's type has no "absent"

# Kubernetes truncates a longer message, which would no longer be JSON.
# https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
MAX_TERMINATION_MESSAGE = 4096
DEFAULT_TERMINATION_LOG = "/dev/termination-log"


@dataclass(frozen=True)
class Settings:
    """What one index of the Job has to do.

    Attributes:
        index: The index, from 0; it is also that of the stream.
        samples: Samples of the stream.
        seed: Shared by all indices.
        termination_log: File for the result.
    """

    index: int
    samples: int
    seed: int
    termination_log: Path


def main(environment: Mapping[str, str] | None = None) -> int:
    """Compute one index of the π Job and leave its count in the pod's termination message.

    Args:
        environment: PIRAY_PI_SAMPLES, PIRAY_PI_SEED, JOB_COMPLETION_INDEX and, optional,
            PIRAY_TERMINATION_LOG; the process environment if not given.

    Returns:
        Exit code: 0, 1 if the result cannot be written, 2 if the environment is wrong.
    """
    try:
        settings = read_environment(os.environ if environment is None else environment)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        result, wall_s = _run(settings)
    except OSError as error:
        print(
            f"Cannot write the result to {settings.termination_log}: {error.strerror}. "
            "Set PIRAY_TERMINATION_LOG to a file that can be written.",
            file=sys.stderr,
        )
        return 1
    print(
        f"index {settings.index}: pi is about {result.estimate:.6f} +- {result.standard_error:.6f} "
        f"({result.num_inside} of {result.samples} samples inside, {wall_s:.2f} s)"
    )
    return 0


def read_environment(environment: Mapping[str, str]) -> Settings:
    """Return what the environment says.

    Raises:
        ValueError: One line for each variable that is missing or no number in its range.
    """
    problems: list[str] = []
    settings = Settings(
        samples=_number(environment, "PIRAY_PI_SAMPLES", 1, MAX_SAMPLES, problems),
        seed=_number(environment, "PIRAY_PI_SEED", 0, MAX_KEY, problems),
        index=_number(environment, "JOB_COMPLETION_INDEX", 0, MAX_KEY, problems),
        termination_log=Path(environment.get("PIRAY_TERMINATION_LOG") or DEFAULT_TERMINATION_LOG),
    )
    if problems:
        raise ValueError("\n".join(problems))
    return settings


def fastest_count() -> Count:
    """Return compiled code where there is Numba, else NumPy's; both count the same."""
    return count_arrays if codegen is None else codegen.compile_count(codegen.layout_here())


def _run(settings: Settings) -> tuple[Estimate, float]:
    """Count, and write the termination message; return the result and the seconds that counting took.

    Raises:
        OSError: If the message cannot be written.
    """
    count = fastest_count()
    begin = time.perf_counter()
    # Opened before the work: minutes of it must not end in a file that cannot be written.
    with settings.termination_log.open("w", encoding="ascii") as log:
        result = Estimate(
            settings.samples, count_inside(settings.samples, settings.seed, settings.index, count)
        )
        wall_s = time.perf_counter() - begin
        log.write(_message(settings.index, result, wall_s))
    return result, wall_s


def _message(index: int, result: Estimate, wall_s: float) -> str:
    """Return the termination message: one line of JSON."""
    record = {
        "index": index,
        "samples": result.samples,
        "num_inside": result.num_inside,
        "wall_s": round(wall_s, 6),
    }
    message = json.dumps(record) + "\n"
    assert len(message) <= MAX_TERMINATION_MESSAGE
    return message


def _number(environment: Mapping[str, str], name: str, least: int, most: int, problems: list[str]) -> int:
    """Read a whole number; on a bad one add a line to `problems` and return `least`."""
    text = environment.get(name)
    rule = f"set it to a whole number from {least} to {most}"
    if text is None:
        problems.append(f"{name} is not set: {rule}.")
    elif not (
        text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most
    ):
        problems.append(f"{name} is {text[:80]!r}: {rule}.")
    else:
        return int(text)
    return least


if __name__ == "__main__":
    sys.exit(main())
