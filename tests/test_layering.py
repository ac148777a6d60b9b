"""What import-linter cannot say: of what a pod's program is made, and how long the program itself may be."""

import ast
import sys
from pathlib import Path

from infra.pi_job.manifest import PROGRAM_FILES

ROOT = Path(__file__).resolve().parent.parent


def imported_packages(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


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
