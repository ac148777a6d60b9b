"""The kernels as a Pi's core would run them: the code is written for it, and timed by LLVM's models of cores.

No Pi is needed, and none is measured: caches, memory, clock and heat are a real Pi's to tell.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from llvmlite import ir

from bench.arm64.code import Loop, assembly, loops
from bench.arm64.model import CORES, Core, Mca, cycles, find, independent
from bench.figures import Figure, WrongAnswer
from workloads.mandelbrot.codegen import block, vectors
from workloads.pi import codegen, philox

NEON = {"neon": True}
GOAL = 0.55
PACKED_DOUBLES = r"v\d+\.2d"
# An update of a vector takes three fused operations, and one more with a look at |z|: the limit that
# `bench.kernels` takes for this machine's core, too.
FUSED_OPERATIONS = 3
# The registers that are read are written by none of them.
UPDATE = (*["fmla {}.2d, v30.2d, v31.2d"] * FUSED_OPERATIONS, "fadd {}.2d, v30.2d, v31.2d")
ROUND = (
    *["umull {}.2d, v30.2s, v31.2s", "umull2 {}.2d, v30.4s, v31.4s"] * 2,
    *["trn1 {}.4s, v30.4s, v31.4s", "trn2 {}.4s, v30.4s, v31.4s"] * 2,
    *["eor {}.16b, v30.16b, v31.16b"] * 4,
)
# Two samples: two squares, the sum or its complement, the comparison, the count.
TEST = (
    *["umull {}.2d, v30.2s, v31.2s"] * 2,
    "mvn {}.16b, v30.16b",
    "cmhs {}.2d, v30.2d, v31.2d",
    "sub {}.2d, v30.2d, v31.2d",
)
# Of the first two rounds, half is the same for all counters.
EQUAL_ROUNDS = 2
FULL_ROUNDS = philox.ROUNDS - EQUAL_ROUNDS // 2


@dataclass(frozen=True)
class Work:
    """A loop of a kernel.

    Attributes:
        name: Of the kernel.
        unit: What is computed.
        units: How many of them in a turn.
        instructions: What a turn executes.
        least: The operations that the limit is made of.
        note: What these are.
    """

    name: str
    unit: str
    units: int
    instructions: Sequence[str]
    least: Sequence[str]
    note: str


def figures() -> list[Figure]:
    """Return peak / modelled cycles of both kernels' loops for both cores; none without llvm-mca.

    Raises:
        WrongAnswer: If a loop has not the packed instructions that it is known by.
    """
    mca = find()
    if mca is None:
        print(
            "bench: no llvm-mca from LLVM 16 on (Debian: llvm-19), so no figures for arm64", file=sys.stderr
        )
        return []
    return [_figure(mca, core, work(core)) for core in CORES for work in (_mandelbrot, _pi)]


def mandelbrot_loop(core: Core) -> tuple[Loop, int]:
    """Return the longest loop without a branch within, and how many updates of a vector it does.

    Raises:
        WrongAnswer: If no such loop updates all rows of a block in packed NEON.
    """
    module, shape = ir.Module("mandelbrot"), vectors.shape_for(NEON)
    block.define_iterate(module, "iterate", shape).linkage = "external"
    found = [loop for loop in loops(assembly(module, core.cpu)) if loop.branches == 1]
    longest = max(found, key=_fused, default=None)
    steps = _fused(longest) // (FUSED_OPERATIONS * shape.rows) if longest else 0
    if longest is None or not steps or longest.count(r"f(n?m)(add|sub)\s+[ds]\d"):
        raise WrongAnswer(f"{core.cpu}: no loop that updates {shape.rows} rows in packed NEON.")
    return longest, steps * shape.rows


def pi_loop(core: Core) -> tuple[Loop, codegen.Layout]:
    """Return the loop that fills all vectors in flight, which holds that of the rounds.

    Raises:
        WrongAnswer: If the rounds have not the packed products that they need.
    """
    module, layout = ir.Module("pi"), codegen.layout_for(NEON)
    codegen.define_count(module, "count", layout).linkage = "external"
    outer = next((loop for loop in loops(assembly(module, core.cpu)) if len(loop.inner) == 1), None)
    products = 4 * layout.vectors * layout.rounds
    if outer is None or outer.inner[0].count(r"umull2?\s+v\d+\.2d") != products:
        raise WrongAnswer(f"{core.cpu}: no loop with {products} packed products.")
    return outer, layout


def _fused(loop: Loop) -> int:
    return loop.count(rf"fml[as]\s+{PACKED_DOUBLES}")


def _mandelbrot(core: Core) -> Work:
    loop, updates = mandelbrot_loop(core)
    pixels = updates * vectors.shape_for(NEON).lanes
    done = loop.count(rf"f(ml[as]|add|sub|mul)\s+{PACKED_DOUBLES}") / updates
    note = f"{len(UPDATE)} operations, one of them for a look; {done:.1f} in this loop"
    return Work("Mandelbrot", "update of a pixel", pixels, loop.instructions, UPDATE * updates, note)


def _pi(core: Core) -> Work:
    loop, layout = pi_loop(core)
    trace = loop.trace((philox.ROUNDS - EQUAL_ROUNDS) // layout.rounds)
    least = (ROUND * FULL_ROUNDS + TEST * layout.lanes) * layout.vectors
    note = f"{len(least) / layout.samples:.0f} operations"
    return Work("π", "sample", layout.samples, trace, least, note)


def _figure(mca: Mca, core: Core, work: Work) -> Figure:
    """Compare a loop with operations of which none waits for another."""
    peak, ours = (
        cycles(mca, part, core) / work.units for part in (independent(work.least), work.instructions)
    )
    how = (
        f"{ours:.2f} cycles per {work.unit}, limit {peak:.2f} ({work.note}); written for {core.cpu}, "
        f"llvm-mca {mca.version}, {core.why}; not measured on a Pi"
    )
    return Figure(f"{work.name} on a {core.name}, limit of the core's model / loop", peak / ours, GOAL, how)
