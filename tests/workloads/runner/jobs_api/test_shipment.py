"""What the runner ships to the cluster is exactly the packages that run there."""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

from workloads.runner.jobs_api.shipment import PACKAGES, working_dir

# Isolated and without `site`: neither the checkout nor its installation is to be found, only the folder is.
PROGRAM = """
import json, sys
from importlib.util import find_spec
sys.path[:0] = sys.argv[1:]
import workloads.driver.__main__
loaded = {name.split(".")[1] for name in sys.modules if name.startswith("workloads.")}
absent = [name for name in ("results", "runner", "cli") if find_spec(f"workloads.{name}") is None]
print(json.dumps([workloads.__file__, sorted(loaded), absent]))
"""


def test_a_job_brings_the_package_and_nothing_else() -> None:
    with working_dir() as folder:
        assert [path.name for path in folder.iterdir()] == ["workloads"]
        names = {path.name for path in (folder / "workloads").rglob("*") if path.is_file()}
        assert {"__main__.py", "mandelbrot.py"} <= names
        assert not {name for name in names if not name.endswith(".py")}
    assert not Path(folder).exists()


def test_the_driver_starts_where_nothing_else_of_the_project_is() -> None:
    installed = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    with working_dir() as folder:
        command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(folder), *installed]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        source, loaded, absent = json.loads(done.stdout)
        assert Path(source).parent == folder / "workloads"
    assert set(loaded) == set(PACKAGES)
    assert absent == ["results", "runner", "cli"]
