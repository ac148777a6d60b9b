"""Whether an emulated Pi finds the kernels that an image has for it, and computes the same bits with them."""

import json
from pathlib import Path

import pytest

from sandbox.images.arm64 import arm64_tree, emulated, missing
from sandbox.machine.process import SandboxError
from tests.bench.emulated import answers
from tests.images.pis import CPUINFO
from workloads import precompile
from workloads.precompile import PIS

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = (
    "from llvmlite import binding as b; print(b.get_host_cpu_name(), b.get_host_cpu_features().flatten())"
)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what the image has, compiled by this machine."""
    folder = tmp_path_factory.mktemp("kernels")
    precompile.compile_into(folder, "aarch64")
    return folder


@pytest.fixture(params=PIS)
def cpu(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree(cpu: str, tmp_path: Path) -> Path:
    """Return the emulated Python with a Pi's /proc/cpuinfo."""
    if missing():
        pytest.skip(f"no emulated arm64 on this machine: it lacks {', '.join(missing())}")
    try:
        tree = arm64_tree()
    except SandboxError as error:
        pytest.skip(f"no emulated arm64 on this machine: {str(error).splitlines()[0]}")
    # The emulator looks there before it looks at this machine's.
    (tmp_path / "site").symlink_to(tree / "site")
    (tmp_path / "root/proc").mkdir(parents=True)
    for entry in (tree / "root").iterdir():
        (tmp_path / "root" / entry.name).symlink_to(entry)
    (tmp_path / "root/proc/cpuinfo").write_text(CPUINFO[cpu])
    return tmp_path


@pytest.mark.arm64
def test_llvm_says_of_a_pi_what_the_image_was_built_for(cpu: str, tree: Path) -> None:
    assert emulated(tree, "-c", PROGRAM).split() == [cpu, PIS[cpu]]


@pytest.mark.arm64
@pytest.mark.timeout(900)
def test_a_pi_compiles_nothing_and_computes_this_machines_bits(tree: Path, kernels: Path) -> None:
    environment = {
        "PIRAY_KERNELS": str(kernels),
        "NUMBA_CACHE_DIR": str(tree / "none"),
        "PYTHONPATH": str(ROOT),
    }
    said = emulated(tree, "-m", "tests.images.in_python", env=environment)
    assert json.loads(said) == [json.loads(json.dumps(answers())), 0]
