"""The Mandelbrot kernel against C and ISPC, and against the core's own limit."""

import statistics
from collections.abc import Mapping, Sequence

from bench import peers, ratios
from bench.figures import Figure, timed
from bench.kernels import article
from bench.kernels.answers import check
from bench.kernels.programs import BAND, Peak, Program, count_programs, peak, points, smooth_programs
from bench.timing import Part, seconds_by_parts

ROUNDS, TRIAL_ROUNDS = 31, 3
# Bands by which the fastest of the ways to build a peer is found.
TRIALS = 8
# Operations of one tested update by the multipliers: x * x, y * y, 2 * x * y + c, and one of the two sums.
FUSED_OPERATIONS = 4
HOW = f"CPU time of {BAND}-row bands in turn, median of {ROUNDS} rounds"

# Of all parts of a program, in each round.
Seconds = Mapping[str, Sequence[float]]


def figures() -> list[Figure]:
    """Compare the kernel; the picture is the 2020 article's, sampled at once, in bands of whole rows.

    Raises:
        WrongAnswer: If a pixel that escapes is off by more than the tolerance, or a count is wrong.
    """
    x, bands = points()
    smooth, counts = smooth_programs(x, bands), count_programs(x, bands)
    updates = sum(check(x, band, smooth, counts, index) for index, band in enumerate(bands))
    programs: dict[str, list[Part]] = {
        name: program.parts for name, program in _with_fastest_ispc(smooth | counts).items()
    }
    limit = peak()
    if limit:
        programs["peak"] = [limit.run] * len(bands)
    seconds = seconds_by_parts(programs, ROUNDS)
    return [
        article.mandelbrot(programs["kernel"]),
        *_against_c(seconds),
        *_against_ispc(seconds),
        *([_against_limit(seconds, limit, updates, len(bands))] if limit else []),
    ]


def _with_fastest_ispc(programs: dict[str, Program]) -> dict[str, Program]:
    """Return the programs without all but the fastest of ISPC's."""
    chosen = {name: program for name, program in programs.items() if " for " not in name}
    for kind in ("ispc for ", "ispc preview for "):
        tried = {name: program.parts for name, program in programs.items() if name.startswith(kind)}
        if tried:
            step = max(1, len(next(iter(tried.values()))) // TRIALS)
            seconds = seconds_by_parts({name: parts[::step] for name, parts in tried.items()}, TRIAL_ROUNDS)
            fastest = min(seconds, key=lambda name: statistics.median(seconds[name]))
            chosen[fastest] = programs[fastest]
    return chosen


def _against_c(seconds: Seconds) -> list[Figure]:
    if "c" not in seconds:
        return []
    ratio = ratios.of_pairs(seconds["c"], seconds["kernel"])
    how = f"{peers.compiler_version()}; {HOW}"
    return [timed("Mandelbrot kernel / C with AVX-512 intrinsics", ratio, 1.0, how)]


def _against_ispc(seconds: Seconds) -> list[Figure]:
    found = []
    for ours, theirs, kind in (("counts", "ispc", "float64"), ("preview counts", "ispc preview", "float32")):
        for name in (name for name in seconds if name.startswith(f"{theirs} for ")):
            target = name.removeprefix(f"{theirs} for ")
            found.append(
                timed(
                    f"Mandelbrot {ours} / ISPC, its example's loop, {kind}",
                    ratios.of_pairs(seconds[name], seconds[ours]),
                    1.0,
                    f"{peers.ispc_version()}, {target}, the fastest of its targets; {HOW}",
                )
            )
    return found


def _against_limit(seconds: Seconds, limit: Peak, updates: int, runs: int) -> Figure:
    """Compare with the seconds of the updates' multiply-adds at the peak of the same round."""
    needed = FUSED_OPERATIONS * updates / limit.lanes
    done = limit.operations * runs
    speed = done / statistics.median(seconds["peak"])
    return timed(
        "Mandelbrot, arithmetic limit / kernel",
        ratios.of_pairs([needed / done * peak_s for peak_s in seconds["peak"]], seconds["kernel"]),
        0.55,
        f"{updates} updates of {FUSED_OPERATIONS} multiply-adds at the measured {speed / 1e9:.2f}e9 vectors "
        f"of {limit.lanes} a second; {HOW}",
    )
