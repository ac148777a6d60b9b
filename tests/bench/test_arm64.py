"""What can be shown of a Pi without one: the code written for it, and what it computes when emulated."""

import json
import os
import re
from pathlib import Path

import pytest

from bench.arm64 import loops as arm64
from bench.arm64.code import loops
from bench.arm64.model import CORES, Core, cycles, find, independent
from sandbox.images.arm64 import arm64_tree, emulated, locked, missing
from sandbox.machine.process import SandboxError
from tests.bench.emulated import answers

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("emulated.py")
NESTED = """
f:
    mov x0, #3
.LBB0_1:                                // =>This Loop Header
    add x1, x1, #1
.LBB0_2:
    fmla v0.2d, v1.2d, v2.2d
    cbnz w2, .LBB0_9
    b.ne .LBB0_2
    sub x3, x3, #1
    cbnz x3, .LBB0_1
.LBB0_9:
    ret
"""

cores = pytest.mark.parametrize("core", CORES, ids=lambda core: core.cpu)


def test_loops_are_found_with_those_within() -> None:
    outer, inner = loops(NESTED)
    assert [len(outer.instructions), len(inner.instructions)] == [6, 3]
    assert outer.inner == (inner,)
    assert inner.branches == 2
    assert [line.split()[0] for line in outer.trace(2)] == (
        ["add", *["fmla", "cbnz", "b.ne"] * 2, "sub", "cbnz"]
    )


@cores
def test_a_pi_iterates_whole_blocks_in_packed_neon(core: Core) -> None:
    loop, updates = arm64.mandelbrot_loop(core)
    assert loop.count(r"fml[as]\s+v\d+\.2d") >= 3 * updates


@cores
def test_a_pi_multiplies_words_in_packed_neon(core: Core) -> None:
    outer, layout = arm64.pi_loop(core)
    (rounds,) = outer.inner
    # A round of a vector: four products, four times the halves of two, four times either-or.
    assert rounds.count("eor") == rounds.count("trn[12]|uzp[12]") == 4 * layout.vectors * layout.rounds
    # Nothing of the vectors in flight is put aside within a round.
    assert rounds.count("str|stp|ldr|ldp") == 0
    assert outer.count(r"u?mull?\s+[wx]") == 0


def test_without_llvm_mca_there_are_no_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert arm64.figures() == []
    assert "no llvm-mca" in capsys.readouterr().err


@cores
def test_the_model_knows_how_many_vector_units_a_core_has(core: Core) -> None:
    mca = find()
    if mca is None:
        pytest.skip("no llvm-mca from LLVM 16 on")
    fused = independent(["fmla {}.2d, v30.2d, v31.2d"] * 24)
    # The A72 has one for 128 bits, or two for 64; the A76 has two for 128.
    assert 24 / cycles(mca, fused, core) == pytest.approx(
        {"cortex-a72": 1, "cortex-a76": 2}[core.cpu], rel=0.02
    )


def test_packages_are_taken_from_a_lock_with_their_hashes() -> None:
    lock = (
        "a==1 \\\n    --hash=sha256:1\nab[x]==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\nb==4 ; x\n"
    )
    assert locked(lock, ["ab"]) == "ab[x]==2 \\\n    --hash=sha256:2 \\\n    --hash=sha256:3\n"
    assert locked(lock, ["b", "a"]) == "b==4 ; x\na==1 \\\n    --hash=sha256:1\n"
    with pytest.raises(SandboxError, match="no line for c"):
        locked(lock, ["a", "c"])


@pytest.fixture(scope="module")
def tree() -> Path:
    """Return the emulated Python; skip where there is none, unless it is asked for."""
    required = bool(os.environ.get("PIRAY_REQUIRE_SANDBOX"))
    lacking = missing()
    if lacking and not required:
        pytest.skip(f"no emulated arm64 on this machine: it lacks {', '.join(lacking)}")
    try:
        return arm64_tree()
    except SandboxError as error:
        if required:
            raise
        pytest.skip(f"no emulated arm64 on this machine: {str(error).splitlines()[0]}")


@pytest.mark.arm64
@pytest.mark.timeout(900)
@cores
def test_an_emulated_pi_computes_the_same_bits(core: Core, tree: Path, tmp_path: Path) -> None:
    said = emulated(
        tree,
        str(PROGRAM),
        env={
            "NUMBA_CACHE_DIR": str(tmp_path),
            "NUMBA_CPU_NAME": core.cpu,
            "NUMBA_DUMP_ASSEMBLY": "1",
            "PYTHONPATH": str(ROOT),
        },
    )
    *code, result = said.strip().splitlines()
    assert json.loads(result) == {"machine": "aarch64", **answers()}
    # What ran was Numba's own code for the core, and packed.
    for packed in (r"fml[as]\s+v\d+\.2d", r"fml[as]\s+v\d+\.4s", r"umull2?\s+v\d+\.2d"):
        assert sum(bool(re.search(packed, line)) for line in code) >= 24
