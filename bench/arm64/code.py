"""Writes the kernels' code for a Pi's processor on whatever machine this is, and finds its loops."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm

TRIPLE = "aarch64-unknown-linux-gnu"
_LABEL = re.compile(r"^(\.?\w+):")
_BRANCH = re.compile(r"^\s+(?:b(?:\.\w+)?|cbn?z\s+\w+,|tbn?z\s+\w+, #\d+,)\s+(\.\w+)")


@dataclass(frozen=True)
class Loop:
    """Instructions from the first of a loop to the branch back to it, in the order of the text.

    Attributes:
        instructions: One line each.
        inner: Loops within it.
    """

    instructions: tuple[str, ...]
    inner: tuple["Loop", ...]

    @property
    def branches(self) -> int:
        """Branches, with that back to the first instruction."""
        return sum(bool(_BRANCH.match(line)) for line in self.instructions)

    def count(self, pattern: str) -> int:
        """Return how many instructions begin with a pattern."""
        return sum(bool(re.match(rf"\s+(?:{pattern})\b", line)) for line in self.instructions)

    def trace(self, rounds: int) -> list[str]:
        """Return what one turn executes, with `rounds` turns of its only inner loop."""
        (inner,) = self.inner
        at = _index(self.instructions, inner.instructions)
        before, after = self.instructions[:at], self.instructions[at + len(inner.instructions) :]
        return [*before, *inner.instructions * rounds, *after]


def assembly(module: Any, cpu: str, triple: str = TRIPLE) -> str:
    """Compile a module as Numba's own pipeline does, for a processor that need not be this one.

    Args:
        module: Of llvmlite's writer; its functions are not to be internal ones.
        cpu: LLVM's name of the processor.
        triple: LLVM's name of the machine.
    """
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module.triple = triple
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    builder.getModulePassManager().run(parsed, builder)
    return str(machine.emit_assembly(parsed))


def loops(text: str) -> list[Loop]:
    """Find the loops of a function: each from a label to the last branch back to it."""
    lines: list[str] = []
    labels: dict[str, int] = {}
    ends: dict[int, int] = {}
    for line in text.splitlines():
        if label := _LABEL.match(line):
            labels[label[1]] = len(lines)
        elif re.match(r"\s+[a-z]", line):
            lines.append(line.split("//")[0].rstrip())
            branch = _BRANCH.match(line)
            if branch and branch[1] in labels:
                ends[labels[branch[1]]] = len(lines)
    return [_loop(lines, ends, begin) for begin in sorted(ends)]


def _loop(lines: Sequence[str], ends: dict[int, int], begin: int) -> Loop:
    end = ends[begin]
    inner = [_loop(lines, ends, other) for other in sorted(ends) if begin < other and ends[other] <= end]
    return Loop(tuple(lines[begin:end]), tuple(inner))


def _index(lines: Sequence[str], part: Sequence[str]) -> int:
    return next(at for at in range(len(lines)) if tuple(lines[at : at + len(part)]) == tuple(part))
