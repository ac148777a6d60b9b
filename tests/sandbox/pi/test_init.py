"""`piray init` with a simulated Pi: from the scanned host key to what the doctor sees by it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.config.stack_file import check_stack_file
from sandbox.pi.host import Host
from sandbox.project import ProjectCopy
from tests.sandbox.making import ARCH, Making


@pytest.fixture(scope="module")
def host(making: Making) -> Host:
    made = making.host()
    made.wait_until_up()
    return made


def test_the_key_that_the_pi_itself_shows_is_accepted_and_the_doctor_gets_in_by_it(
    host: Host, tmp_path: Path
) -> None:
    shown = host.as_root("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    project = ProjectCopy(tmp_path)
    command = [
        *(
            sys.executable,
            "-m",
            "infra.init",
            "home",
            "--host",
            f"{host.name}={host.address}",
            "--arch",
            ARCH,
        ),
        *("--user", "pi", "--key-file", str(host.key_file), "--accept-host-key", shown),
    ]
    made = subprocess.run(
        command,
        cwd=project.folder,
        env=project.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    file = project.folder / "Pulumi.home.yaml"
    check_stack_file(file)
    (written,) = yaml.safe_load(file.read_text())["config"]["piray:hosts"]
    assert (written["address"], written["hostKey"]) == (host.address, host.host_key)
    # Whatever it finds on a simulated Pi: it has found it on the Pi.
    assert made.returncode in (0, 1), made.stderr
    assert "cgroup_memory=1" in made.stdout, made.stdout
