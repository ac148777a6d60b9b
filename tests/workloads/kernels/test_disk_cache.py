"""Kernels on disk, as other processes find them: each process here is a new interpreter."""

import ast
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from workloads import precompile
from workloads.kernels import cache_files, disk_cache
from workloads.mandelbrot import kernel
from workloads.pi import kernel as pi_kernel

ROOT = Path(__file__).resolve().parents[3]
# Encloses an intrinsic, as the real kernels do: its pickle differs from process to process.
SOURCE = """
import os
import platform
from numba import njit, types
from numba.extending import intrinsic
from workloads.kernels import disk_cache

@intrinsic
def number(context):
    def generate(context, builder, signature, arguments):
        return context.get_constant(types.int64, {number})
    return types.int64(), generate

def make(more):
    inner = number

    @njit
    def add(value):
        return value + more

    @disk_cache.kernel("small", "int64(int64)", __file__)
    def small(count):
        return add(inner() * count)
    return small

small = make(int(os.environ.get("MORE", 0)))
"""
# Whose contents do not decide about the machine code: the plan only about what it is called with.
UNWRITTEN = ("kernels.disk_cache", "mandelbrot.plan")
SMALL = "import small; result = small.small(3)"
REAL = """
import numpy as np
from workloads.mandelbrot import kernel
from workloads.pi import kernel as pi_kernel
points, values = np.linspace(-2, 1, 70), np.zeros((70, 70), dtype=np.float32)
result = [pi_kernel.count_inside(1001, 2, 3)]
for preview in {previews}:
    kernel.smooth_values(points, points, 300, 2.0, values, preview=preview)
    result.append(float(values.astype(float).sum()))
"""
# What a worker calls, on a cluster and in the bench.
WORKER = """
import numpy as np
from workloads.mandelbrot import draw, kernel, plan
from workloads.pi import kernel as pi_kernel
points, counts = np.linspace(-2, 1, 70), np.zeros((70, 70), dtype=np.int32)
result = [pi_kernel.count_inside(1001, 2, 3)]
for preview in (False, True):
    kernel.escape_counts(points, points, 300, 2.0, counts, preview=preview)
    small = plan.Plan(x_grids=1, y_grids=1, grid_width=37, grid_height=41, preview=preview)
    band = draw.compute_band(small, plan.Band(0, 41, 0, 37))
    result += [int(counts.sum()), int(band.sum())]
"""
REPORT = """
import json
from workloads.kernels.disk_cache import tally
print(json.dumps([result, *vars(tally()).values()]))
"""


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


def start(program: str, kept: Path, path: Path = ROOT, **settings: str) -> "subprocess.Popen[str]":
    """Start a process that runs a program and says what came out, and how many kernels it had to compile."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment: Mapping[str, str] = {
        **inherited,
        "PYTHONPATH": f"{path}{os.pathsep}{ROOT}",
        "NUMBA_CACHE_DIR": str(kept),
        # Two versions of a source within a second are one to Python.
        "PYTHONDONTWRITEBYTECODE": "1",
        **settings,
    }
    command = [sys.executable, "-c", program + REPORT]
    return subprocess.Popen(
        command, cwd=path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: "subprocess.Popen[str]") -> tuple[Any, int, int]:
    """Return the result, and how many kernels were compiled and loaded; nothing else may have been said."""
    out, errors = process.communicate(timeout=600)
    assert (errors, process.returncode) == ("", 0)
    result, compiled, loaded = json.loads(out)
    return result, compiled, loaded


def run(program: str, kept: Path, path: Path = ROOT, **settings: str) -> tuple[Any, int, int]:
    return finish(start(program, kept, path, **settings))


def small(folder: Path, number: int = 7) -> Path:
    """Make a folder with the small kernel in it."""
    folder.mkdir(exist_ok=True)
    (folder / "small.py").write_text(SOURCE.format(number=number))
    return folder


def files(kept: Path) -> list[Path]:
    return sorted(kept.glob("small-*"))


def locked(kept: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", str(kept))
        held = cache_files.lock("small")
    assert held is not None
    return held


def written_from(source: Path) -> set[Path]:
    """Return a source and all of the project's that it imports, but for what keeps and calls the kernels."""
    found, waiting = set[Path](), {source}
    while waiting:
        path = waiting.pop()
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("workloads."):
                continue
            module = str(node.module).removeprefix("workloads.")
            names = {module, *(f"{module}.{alias.name}" for alias in node.names)} - set(UNWRITTEN)
            sources = {ROOT / f"workloads/{name.replace('.', '/')}.py" for name in names}
            waiting |= {source for source in sources if source.exists()} - found
    return found


def test_a_kernel_is_filed_under_every_source_that_it_is_written_from() -> None:
    pi_kernel.compile_only()
    declared = {files[0]: {Path(file) for file in files} for files in disk_cache.sources()}
    assert Path(kernel.__file__) in map(Path, declared)
    assert declared == {first: written_from(Path(first)) for first in declared}


def test_a_second_process_loads_all_kernels_and_computes_the_same(kept: Path) -> None:
    program = REAL.format(previews=(False, True))
    result, compiled, loaded = run(program, kept)
    assert (compiled, loaded) == (3, 0)
    assert run(program, kept) == (result, 0, 3)


def test_kernels_that_different_processes_compiled_do_not_mix(kept: Path) -> None:
    count, exact = run(REAL.format(previews=(False,)), kept)[0]
    count, preview = run(REAL.format(previews=(True,)), kept)[0]
    assert exact != preview
    assert run(REAL.format(previews=(True, False)), kept) == ([count, preview, exact], 0, 3)


def test_another_folder_with_the_same_source_finds_the_kernel(tmp_path: Path, kept: Path) -> None:
    assert run(SMALL, kept, small(tmp_path / "one")) == (21, 1, 0)
    assert run(SMALL, kept, small(tmp_path / "two")) == (21, 0, 1)


def test_a_changed_source_is_compiled_and_the_old_one_is_still_there(tmp_path: Path, kept: Path) -> None:
    assert run(SMALL, kept, small(tmp_path / "it")) == (21, 1, 0)
    assert run(SMALL, kept, small(tmp_path / "it", number=8)) == (24, 1, 0)
    assert run(SMALL, kept, small(tmp_path / "it")) == (21, 0, 1)


def test_kernels_of_one_source_that_enclose_something_else_do_not_mix(tmp_path: Path, kept: Path) -> None:
    folder = small(tmp_path / "it")
    assert run(SMALL, kept, folder, MORE="1") == (22, 1, 0)
    assert run(SMALL, kept, folder, MORE="2") == (23, 1, 0)
    both = "import small; result = [small.small(3), small.make(1)(3), small.make(2)(3), small.make(2)(3)]"
    assert run(both, kept, folder) == ([21, 22, 23, 23], 1, 3)


@pytest.mark.parametrize("settings", [{"NUMBA_OPT": "1"}, {"NUMBA_CPU_NAME": "generic"}])
def test_what_changes_the_machine_code_is_compiled_apart(
    tmp_path: Path, kept: Path, settings: dict[str, str]
) -> None:
    assert run(SMALL, kept, small(tmp_path / "it")) == (21, 1, 0)
    assert run(SMALL, kept, tmp_path / "it", **settings) == (21, 1, 0)
    assert run(SMALL, kept, tmp_path / "it", NUMBA_NUM_THREADS="1") == (21, 0, 1)


def test_where_nothing_can_be_written_the_kernel_is_compiled_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for _ in range(2):
        assert run(SMALL, tmp_path / "file" / "kept", small(tmp_path / "it")) == (21, 1, 0)


def test_a_folder_of_somebody_else_is_read_and_left_alone(tmp_path: Path, kept: Path) -> None:
    assert run(SMALL, kept, small(tmp_path / "it")) == (21, 1, 0)
    kept.chmod(0o500)
    if os.access(kept, os.W_OK):
        pytest.skip("root may write everywhere")
    assert run(SMALL, kept, small(tmp_path / "it")) == (21, 0, 1)
    assert run(SMALL, kept, small(tmp_path / "it", number=8)) == (24, 1, 0)


def test_a_broken_file_is_compiled_anew_and_mended(tmp_path: Path, kept: Path) -> None:
    assert run(SMALL, kept, small(tmp_path / "it")) == (21, 1, 0)
    (file,) = files(kept)
    whole = file.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], cache_files.digest(b"no pickle") + b"no pickle"):
        file.write_bytes(broken)
        assert run(SMALL, kept, tmp_path / "it") == (21, 1, 0)
        assert run(SMALL, kept, tmp_path / "it") == (21, 0, 1)


def test_of_processes_that_start_together_one_compiles(tmp_path: Path, kept: Path) -> None:
    folder = small(tmp_path / "it")
    found = [finish(process) for process in [start(SMALL, kept, folder) for _ in range(4)]]
    assert sorted(found) == [(21, 0, 1)] * 3 + [(21, 1, 0)]


def test_who_is_stopped_while_compiling_does_not_stop_the_others(tmp_path: Path, kept: Path) -> None:
    kept.mkdir()
    impatient = "from workloads.kernels import cache_files; cache_files.WAIT_LIMIT_S = 0.2\n"
    with locked(kept):
        assert run(impatient + SMALL, kept, small(tmp_path / "it")) == (21, 1, 0)


def test_the_images_kernels_are_found_and_its_folder_is_not_written(tmp_path: Path, kept: Path) -> None:
    image = tmp_path / "image"
    assert run(SMALL, image, small(tmp_path / "it")) == (21, 1, 0)
    before = {file: file.stat().st_mtime_ns for file in image.iterdir()}
    assert run(SMALL, kept, tmp_path / "it", PIRAY_KERNELS=str(image)) == (21, 0, 1)
    assert run(SMALL, kept, small(tmp_path / "it", number=8), PIRAY_KERNELS=str(image)) == (24, 1, 0)
    assert {file: file.stat().st_mtime_ns for file in image.iterdir()} == before
    assert len(files(kept)) == 1


@pytest.mark.skipif(platform.machine() != "x86_64", reason="on arm64 kernels are for the Pis alone")
def test_an_image_holds_every_kernel_for_its_builder(tmp_path: Path, kept: Path) -> None:
    precompile.compile_into(tmp_path / "image", "x86_64")
    result, compiled, loaded = run(WORKER, kept, PIRAY_KERNELS=str(tmp_path / "image"))
    assert (compiled, loaded) == (0, len(list((tmp_path / "image").glob("[!.]*"))))
    assert run(WORKER, kept) == (result, loaded, 0)


def test_an_image_that_keeps_nothing_is_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiles(*_: object) -> int:
        return 3

    monkeypatch.setattr(precompile, "_compile", compiles)
    with pytest.raises(RuntimeError, match="cannot be kept"):
        precompile.compile_into(tmp_path, "x86_64")


def test_only_the_newest_versions_of_a_kernel_stay(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(kept))
    monkeypatch.delenv("PIRAY_KERNELS", raising=False)
    cache_files.keep("other", "0", b"other")
    for version in range(cache_files.KEPT + 3):
        cache_files.keep("small", f"{version:02}", b"content")
        os.utime(kept / f"small-{version:02}", (version, version))
    newest = [f"small-{version:02}" for version in range(3, cache_files.KEPT + 3)]
    assert [file.name for file in files(kept)] == newest
    assert list(cache_files.find("other", "0")) == [b"other"]
    assert list(cache_files.find("small", "00")) == []


def test_kernels_are_kept_with_the_users_other_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NUMBA_CACHE_DIR", "PIRAY_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_files.writable_folder() == Path("/home/me/.cache/piray/kernels")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_files.writable_folder() == Path("/caches/piray/kernels")
    monkeypatch.setenv("PIRAY_CACHE", "/piray")
    assert cache_files.writable_folder() == Path("/piray/kernels")
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/numba")
    assert cache_files.writable_folder() == Path("/numba")


def test_a_user_without_a_home_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("NUMBA_CACHE_DIR", "PIRAY_CACHE", "PIRAY_KERNELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    cache_files.keep("small", "1", b"content")
    assert list(cache_files.find("small", "1")) == []
    assert cache_files.lock("small") is None
