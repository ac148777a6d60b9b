"""The import rules of the two halves, read from the source."""

import ast
import sys
from pathlib import Path

import pytest

from infra.pi_job.manifest import PROGRAM_FILES

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "infra": {"ray", "numba", "numpy", "matplotlib", "kr8s", "workloads"},
    "workloads": {"pulumi", "pulumi_command", "pulumi_kubernetes", "infra"},
}
PURE = {
    "infra/names.py": set(),
    "infra/ray_cluster/deployments.py": {"pulumi", "pulumi_kubernetes", "pulumi_command"},
    "workloads/mandelbrot/draw.py": {"ray", "kr8s", "click", "rich"},
}


def imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_no_module_of_one_half_imports_the_other_or_its_libraries(layer: str) -> None:
    offenders = {
        str(path.relative_to(ROOT)): sorted(found)
        for path in (ROOT / layer).rglob("*.py")
        if (found := imported_packages(path) & FORBIDDEN[layer])
    }
    assert offenders == {}


@pytest.mark.parametrize("module", PURE)
def test_modules_that_decide_stay_pure(module: str) -> None:
    assert imported_packages(ROOT / module) & PURE[module] == set()


def test_the_pods_program_needs_only_numpy_and_numba() -> None:
    """It runs alone in a pod whose image may lack everything else; Numba brings llvmlite."""
    allowed = {*sys.stdlib_module_names, "numpy", "numba", "llvmlite"}
    mounted = {file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in PROGRAM_FILES}
    for file in PROGRAM_FILES:
        assert imported_packages(ROOT / file) - allowed <= {"workloads"}, file
        assert imported_modules(ROOT / file) <= mounted, file


def imported_modules(path: Path) -> set[str]:
    """Return the modules of the workloads that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in whole if (ROOT / f"{name.replace('.', '/')}.py").exists()}
            names |= modules or {node.module}
    return {name for name in names if name.startswith("workloads")}


def test_main_is_a_table_of_contents() -> None:
    assert len((ROOT / "__main__.py").read_text().splitlines()) <= 25
