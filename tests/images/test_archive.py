"""The whole arm64 image, made on whatever machine this is, and run without Docker.

Another one is tried by: PIRAY_TEST_IMAGE=image.tar pytest tests/images/test_archive.py
"""

import json
import os
from pathlib import Path

import pytest

from infra.image.check import check
from infra.image.target import TARGETS
from infra.versions import NUMBA, NUMPY, RAY
from sandbox.images.arm64_image import arm64_archive
from sandbox.machine.emulation import lacking
from sandbox.machine.process import SandboxError
from tests.bench.emulated import answers
from tests.images.container import run, unpack
from workloads.pi.kernel import count_inside
from workloads.precompile import PIS

ROOT = Path(__file__).resolve().parents[2]
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
IMPORTS = """
import bz2, curses, lzma, platform, readline, sqlite3, ssl, uuid, zoneinfo
import numba, numpy, numpy.testing, ray, ray.serve
assert len(ssl.create_default_context().get_ca_certs()) > 100
assert numba.njit(lambda value: value + 1)(4) == 5
print(platform.machine(), numba.__version__, numpy.__version__, ray.__version__)
print(zoneinfo.ZoneInfo("Europe/Berlin"))
"""
# As in infra/pi_job/manifest.py; what a pod leaves for Kubernetes is shown.
PI = "python -m workloads.pi.pod >&2 && cat /tmp/termination-log"
INDEX = {
    "PIRAY_PI_SAMPLES": "100001",
    "PIRAY_PI_SEED": "5",
    "JOB_COMPLETION_INDEX": "6",
    "PIRAY_TERMINATION_LOG": "/tmp/termination-log",
}
HOST_CPU = "from llvmlite import binding; print(binding.get_host_cpu_name())"
# As in infra/ray_cluster/container.py. An agent that has a port of its own is not waited for; but Ray 2.60.0
# tells the raylet no such port of the dashboard's agent, and lets it wait 15 s at most for the file that this
# agent leaves. An emulated one takes longer: the file is there before it, under a name that is chosen here.
PORTS = (
    "runtime-env-agent-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "metrics-export-port",
)
HEAD, WORKER = (" ".join(f"--{name}={first + n}" for n, name in enumerate(PORTS)) for first in (52001, 53001))
HEAD_ID, WORKER_ID = "1" * 56, "2" * 56
PORT_FILE = "/tmp/ray/session_latest/dashboard_agent_listen_port_"
CLUSTER = f"""
set -e
(until echo 52002 > {PORT_FILE}{HEAD_ID}; do sleep 1; done) 2> /dev/null &
RAY_OVERRIDE_NODE_ID_FOR_TESTING={HEAD_ID} \\
  ray start --head --port=6379 --num-cpus=1 --disable-usage-stats --include-dashboard=false {HEAD} >&2
echo 53002 > {PORT_FILE}{WORKER_ID}
RAY_OVERRIDE_NODE_ID_FOR_TESTING={WORKER_ID} ray start --address=127.0.0.1:6379 --num-cpus=1 {WORKER} >&2
python /tmp/tests/images/in_ray.py {HEAD_ID} {WORKER_ID}
"""
START_LIMIT = "raylet_start_wait_time_s = 30"
# Times under emulation are not a Pi's.
PATIENT = {
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_agent_register_timeout_ms": "300000",
}

Image = tuple[Path, dict[str, str]]

# The first one makes the image, where the cache has none.
pytestmark = [pytest.mark.arm64, pytest.mark.timeout(1800)]


def made() -> Path:
    """Return the archive that is made from this project; skip the test where that fails."""
    try:
        return arm64_archive()
    except SandboxError as error:
        pytest.skip(str(error).splitlines()[0])


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    if absent := lacking():
        pytest.skip(f"no emulated arm64 on this machine: {'; '.join(absent)}")
    archive = Path(os.environ.get("PIRAY_TEST_IMAGE") or made())
    root = tmp_path_factory.mktemp("image") / "root"
    return root, unpack(archive, root)


def test_a_kernel_with_pages_of_16_kib_can_load_every_program_and_library(image: Image) -> None:
    root, _ = image
    verdict = check([root], TARGETS["arm64"])
    assert (verdict.problems, verdict.coarse) == ((), ())
    assert verdict.count > 200


def test_python_finds_its_libraries_numba_compiles_and_ray_is_there(image: Image) -> None:
    root, settings = image
    said = run(root, settings, ROOT, "python", "-c", IMPORTS)
    assert said.split() == [MACHINES[settings["architecture"]], NUMBA, NUMPY, RAY, "Europe/Berlin"]


def test_the_program_of_a_pi_pod_counts_what_this_machine_counts(image: Image) -> None:
    root, settings = image
    said = run(root, {**settings, **INDEX, "PYTHONPATH": "/tmp"}, ROOT, "bash", "-c", PI)
    result = json.loads(said)
    assert (result["index"], result["samples"]) == (6, 100_001)
    assert result["num_inside"] == count_inside(100_001, 5, 6)


@pytest.mark.parametrize("cpu", PIS)
@pytest.mark.timeout(900)
def test_a_pi_finds_its_kernels_in_the_image_and_computes_this_machines_bits(image: Image, cpu: str) -> None:
    root, settings = image
    if settings["architecture"] != "arm64":
        pytest.skip(f"an image for {settings['architecture']} has no kernels")
    settings = {**settings, "PYTHONPATH": "/tmp"}
    assert run(root, settings, ROOT, "python", "-c", HOST_CPU, cpu=cpu).strip() == cpu
    said = run(root, settings, ROOT, "python", "-m", "tests.images.in_python", cpu=cpu)
    assert json.loads(said) == [json.loads(json.dumps(answers())), 0]


def give_time(root: Path) -> None:
    """Let `ray start` wait ten times as long for its raylet: the 30 s are a constant in its code."""
    package = root / "usr/local/lib/python3.11/dist-packages/ray/_private"
    text = (package / "node.py").read_text()
    assert START_LIMIT in text
    (package / "node.py").write_text(text.replace(START_LIMIT, f"{START_LIMIT}0"))
    (package / "__pycache__" / "node.cpython-311.pyc").unlink()


def test_a_head_and_a_worker_run_tasks(image: Image) -> None:
    root, settings = image
    give_time(root)
    said = run(root, {**settings, **PATIENT}, ROOT, "bash", "-c", CLUSTER)
    machine = MACHINES[settings["architecture"]]
    expected = [[machine, count_inside(100_001, 5, stream)] for stream in range(6)]
    assert json.loads(said.splitlines()[-1]) == [2, expected]
