"""The wrapper around the Pulumi CLI, with a stand-in CLI that records how it was called."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pulumi.automation import PulumiCommand

from infra import pulumi_cli
from infra.local.wanted import LocalRayError
from sandbox.project import TEST_ENGINE
from tests.checkout import kill_family
from tests.sandbox.engine.scenario import ENGINES, REAL

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with one stack file, an empty home, and no Pulumi settings of the developer's."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.dev.yaml").write_text("config: {piray:platform: local}\n")
    monkeypatch.setattr(pulumi_cli, "PROJECT_DIR", folder)
    for name in [name for name in os.environ if name.startswith("PULUMI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return folder


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CLI on PATH that notes its arguments in a file and knows no stack `dev`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    calls = tmp_path / "calls"
    script = folder / "pulumi"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {calls}\n'
        'case "$*" in "stack output --json --stack dev"|"stack export --show-secrets --stack dev")\n'
        "  echo \"error: no stack named 'dev' found\" >&2\n"
        "  exit 255\n"
        "esac\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return calls


def without_cli(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(PulumiCommand, "install", refuse)


def test_preview_makes_the_stack_and_asks_nothing(project: Path, pulumi: Path) -> None:
    assert pulumi_cli.main(["preview", "dev"]) == 0
    assert pulumi.read_text().splitlines() == [
        "stack output --json --stack dev",
        "stack init dev --no-select",
        "preview --stack dev",
    ]


@pytest.mark.parametrize("action", ["down", "outputs"])
def test_a_stack_that_was_never_up_is_answered_with_the_command_to_run(
    project: Path, pulumi: Path, capfd: pytest.CaptureFixture[str], action: str
) -> None:
    assert pulumi_cli.main([action, "dev"]) == 2
    assert capfd.readouterr().err.splitlines()[-1].endswith("run `make up STACK=dev` first")


def test_a_stack_that_cannot_be_made_is_told_with_pulumis_own_words(
    project: Path, pulumi: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    script = pulumi.parent / "bin" / "pulumi"
    refusal = 'case "$*" in "stack init"*) echo "error: the backend\n  is full" >&2; exit 255;; esac\n'
    script.write_text(script.read_text() + refusal)
    assert pulumi_cli.main(["up", "dev"]) == 2
    assert "cannot use stack 'dev': error: the backend is full" in capfd.readouterr().err


@pytest.fixture(params=ENGINES)
def engine(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """An engine with its CLI, in a project whose program has yet to be written."""
    (project / "Pulumi.yaml").write_text(
        "{name: piray, runtime: {name: python, options: {virtualenv: .venv}}}\n"
    )
    (project / ".venv").symlink_to(sys.prefix)
    backend = tmp_path / "backend"
    backend.mkdir()
    if request.param != REAL:
        monkeypatch.setenv("PATH", f"{TEST_ENGINE}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIRAY_ENGINE_PYTHON", sys.executable)
    monkeypatch.setenv("PIRAY_ENGINE_STATE", str(backend))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{backend}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "test")


# A command that says what it does and, if it is told to, does not end.
ONE_COMMAND = """
import pulumi
from pulumi_command import local
step = "echo {0} >> journal; while [ -e hold-{0} ]; do sleep 0.1; done; echo {0} done >> journal; echo said"
one = local.Command("one", create=step.format("create"), update=step.format("update"),
              delete=step.format("delete"), environment={"VERSION": open("version").read()},
              opts=pulumi.ResourceOptions(delete_before_replace=True))
pulumi.export("said", one.stdout.apply(lambda text: text.splitlines()[-1]))
"""


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("cut", "then", "journal"),
    [
        ("create", "up", ["create", "update", "update done"]),
        ("create", "down", ["create", "delete", "delete done"]),
        ("update", "up", ["update", "update", "update done"]),
        ("update", "up as before", ["update", "update", "update done"]),
        ("delete", "up", ["delete", "delete", "delete done", "create", "create done"]),
        ("delete", "down", ["delete", "delete", "delete done"]),
    ],
)
def test_what_a_killed_cli_has_left_is_taken_up_by_the_next_run(
    project: Path, capfd: pytest.CaptureFixture[str], cut: str, then: str, journal: list[str]
) -> None:
    (project / "__main__.py").write_text(ONE_COMMAND)
    (project / "version").write_text("1")
    if cut != "create":
        assert pulumi_cli.main(["up", "dev"]) == 0
        (project / "journal").unlink()
    if cut == "update":
        (project / "version").write_text("2")
    held = project / f"hold-{cut}"
    held.touch()
    action = ["destroy"] if cut == "delete" else ["up", "--skip-preview"]
    subprocess.run(["pulumi", "stack", "select", "dev", "--create"], cwd=project, check=True)
    with subprocess.Popen(["pulumi", *action, "--yes", "--stack", "dev"], cwd=project) as killed:
        wait_for((project / "journal").exists)
        kill_family(killed.pid)
    held.unlink()
    if then == "up as before":
        (project / "version").write_text("1")
    capfd.readouterr()
    next_run = [then.partition(" ")[0], "dev"]
    assert pulumi_cli.main(next_run) == 0
    said = capfd.readouterr().err
    assert f"removed the lock of process {killed.pid}" in said
    words = {"create": "making", "update": "changing", "delete": "removing"}
    assert f"the last run was cut off while {words[cut]} one" in said
    assert (project / "journal").read_text().splitlines() == journal
    assert pulumi_cli.main(next_run) == 0
    assert (project / "journal").read_text().splitlines() == journal


@pytest.mark.usefixtures("engine")
def test_the_stack_that_is_selected_stays_selected(project: Path) -> None:
    (project / "__main__.py").write_text("import pulumi\npulumi.export('answer', 42)\n")
    for stack in ("mine", "other"):
        (project / f"Pulumi.{stack}.yaml").write_text("config: {piray:platform: local}\n")

    def answer() -> str:
        """Return an output of whichever stack is selected, or why there is none."""
        command = ["pulumi", "stack", "output", "--json"]
        asked = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        return asked.stdout + asked.stderr

    subprocess.run(["pulumi", "stack", "init", "mine"], cwd=project, check=True)
    for action in ("preview", "up", "outputs"):
        assert pulumi_cli.main([action, "other"]) == 0
        assert answer() == "{}\n"
    subprocess.run(["pulumi", "stack", "select", "other"], cwd=project, check=True)
    assert "42" in answer()


def test_an_unknown_stack_is_answered_with_the_known_ones(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert pulumi_cli.main(["up", "home"]) == 2
    assert "Pulumi.home.yaml; give one of: dev" in capfd.readouterr().err


def test_a_stack_may_be_named_with_its_organization_and_project(project: Path, pulumi: Path) -> None:
    for name in ("me/dev", "organization/piray/dev"):
        assert pulumi_cli.main(["outputs", name]) == 0
        assert pulumi.read_text().splitlines()[-1] == f"stack output --json --show-secrets --stack {name}"


def test_a_stack_of_another_project_is_refused(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert pulumi_cli.main(["up", "organization/other/dev"]) == 2
    assert "is of project 'other'; this one is 'piray'" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["", "../x", "a b", "home/", "/home", "a/b/c/d", "é"])
def test_what_is_no_name_of_a_stack_is_refused_before_anything_is_looked_for(
    project: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    assert pulumi_cli.main(["preview", name]) == 2
    assert f"{name!r} is not the name of a stack" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["up"], ["up", "--yes"], ["fly", "dev"]])
def test_a_wrong_call_is_answered_with_the_usage(
    project: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert pulumi_cli.main(arguments) == 2
    assert "usage: python -m infra.pulumi_cli" in capfd.readouterr().err


@pytest.mark.parametrize(
    "error",
    [
        OSError("Name or service not known"),
        subprocess.CalledProcessError(1, "install.sh", b"curl: (6) Could not resolve host\n"),
    ],
)
def test_no_cli_and_no_network_is_one_line_that_says_what_still_works(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: Exception
) -> None:
    without_cli(monkeypatch, error)
    assert pulumi_cli.main(["up", "dev"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "make run, make test" in line


def test_the_passphrase_is_made_once_and_readable_by_its_owner_only(project: Path, tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    first = Path(pulumi_cli.environment(Path("/x/pulumi"), env)["PULUMI_CONFIG_PASSPHRASE_FILE"])
    content = first.read_text()
    second = Path(pulumi_cli.environment(Path("/x/pulumi"), env)["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert (second, second.read_text()) == (first, content)
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert len(content) >= 32


def test_a_passphrase_of_the_users_is_left_alone(project: Path, tmp_path: Path) -> None:
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PULUMI_CONFIG_PASSPHRASE": ""}
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in pulumi_cli.environment(Path("/x/pulumi"), env)
    assert not (tmp_path / "config").exists()


def test_the_folder_of_the_cli_comes_first_on_path() -> None:
    env = pulumi_cli.environment(Path("/x/bin/pulumi"), {"PATH": "/usr/bin", "PULUMI_CONFIG_PASSPHRASE": "p"})
    assert env["PATH"] == f"/x/bin{os.pathsep}/usr/bin"


def test_wrong_types_are_listed_with_everything_else_before_pulumi_is_asked(
    project: Path, pulumi: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "Pulumi.dev.yaml").write_text(
        "config: {piray:platform: local, piray:workers: three, piray:arch: arm, piray:wrokers: 1}\n"
    )
    assert pulumi_cli.main(["up", "dev"]) == 2
    said = capfd.readouterr().err
    assert all(key in said for key in ("piray:workers", "piray:arch", "piray:wrokers"))
    assert not pulumi.exists()


def test_a_tab_in_a_stack_file_is_named_with_its_line(
    project: Path, pulumi: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "Pulumi.dev.yaml").write_text("config:\n  piray:platform: local\n\tpiray:workers: 1\n")
    assert pulumi_cli.main(["preview", "dev"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "Pulumi.dev.yaml: line 3" in line


def test_values_that_only_pulumi_can_read_are_left_to_the_program(project: Path, pulumi: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text(
        "config: {piray:platform: local, piray:workers: {secure: v1:abc}}\n"
    )
    assert pulumi_cli.main(["preview", "dev"]) == 0


def test_a_passphrase_that_cannot_be_kept_is_one_line(
    project: Path, pulumi: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", os.devnull)
    assert pulumi_cli.main(["preview", "dev"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "PULUMI_CONFIG_PASSPHRASE" in line


def test_down_removes_what_an_interrupted_up_has_left(project: Path, pulumi: Path, tmp_path: Path) -> None:
    left = tmp_path / "state" / "piray" / "local" / "nodes"
    left.mkdir(parents=True)
    (project / "Pulumi.local.yaml").write_text("config: {piray:platform: local}\n")
    assert pulumi_cli.main(["down", "local"]) == 0
    assert not left.exists()


def test_what_down_cannot_remove_is_told(
    project: Path, pulumi: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuses(stack: str) -> None:
        raise LocalRayError("a Ray process cannot be ended", "it hangs in the kernel", "restart this machine")

    monkeypatch.setattr(pulumi_cli, "undo", refuses)
    (project / "Pulumi.local.yaml").write_text("config: {piray:platform: local}\n")
    assert pulumi_cli.main(["down", "local"]) == 2
    assert "restart this machine" in capfd.readouterr().err


# As a slow machine may have it: Pulumi has begun before `Popen` has returned.
INTERRUPTED_EARLY = """
import os, subprocess, time
class Slow(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        if "up" in arguments[0]:
            while not (CALLS.exists() and "begun" in CALLS.read_text()):
                time.sleep(0.05)
            os.killpg(0, signal.SIGINT)
subprocess.Popen = Slow
"""


def test_no_proxy_of_the_user_comes_between_pulumi_and_the_pis(
    project: Path, pulumi: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = pulumi.parent / "bin" / "pulumi"
    script.write_text(f'#!/bin/sh\necho "$NO_PROXY $no_proxy" >> {pulumi}\necho "{{}}"\n')
    monkeypatch.setenv("NO_PROXY", "intranet.example.org")
    monkeypatch.delenv("no_proxy", raising=False)
    hosts = "[{address: 192.0.2.11}, {name: pi2}, 7, {address: 192.0.2.12}]"
    (project / "Pulumi.dev.yaml").write_text(f"config: {{piray:platform: pi, piray:hosts: {hosts}}}\n")
    assert pulumi_cli.main(["outputs", "dev"]) == 0
    past = "intranet.example.org,127.0.0.1,localhost,192.0.2.11,192.0.2.12"
    assert set(pulumi.read_text().splitlines()) == {f"{past} {past}"}


@pytest.mark.parametrize("early", ["", INTERRUPTED_EARLY], ids=["later", "at once"])
def test_an_interrupt_lets_pulumi_finish_what_it_has_begun(project: Path, pulumi: Path, early: str) -> None:
    """Killed instead, it would leave a lock behind, and work that it knows nothing of."""
    script = pulumi.parent / "bin" / "pulumi"
    finishing = 'trap "sleep 1; echo finished >> $CALLS; exit 3" INT; echo begun >> $CALLS; sleep 60 & wait'
    script.write_text(script.read_text() + f"CALLS={pulumi}\ncase $1 in up) {finishing};; esac\n")
    # A shell's background job, as CI may be, ignores SIGINT, and so would its children.
    program = "import signal, sys; from pathlib import Path; from infra import pulumi_cli\n"
    program += (
        f"signal.signal(signal.SIGINT, signal.default_int_handler); CALLS = Path({str(pulumi)!r})\n{early}"
    )
    program += f"pulumi_cli.PROJECT_DIR = Path({str(project)!r}); sys.exit(pulumi_cli.main(['up', 'dev']))"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
    ) as up:
        if not early:
            wait_for(lambda: pulumi.exists() and "begun" in pulumi.read_text())
            os.killpg(up.pid, signal.SIGINT)
        assert up.wait(timeout=60) == 3
    assert pulumi.read_text().splitlines()[-1] == "finished"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_agent_that_is_gone_is_not_in_the_way_of_pulumi(tmp_path: Path) -> None:
    """Its SSH client would stop there, though the stack has a private key."""
    env = {"PATH": "/usr/bin", "PULUMI_CONFIG_PASSPHRASE": "p", "SSH_AUTH_SOCK": str(tmp_path / "agent")}
    assert "SSH_AUTH_SOCK" not in pulumi_cli.environment(Path("/x/pulumi"), env)
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(env["SSH_AUTH_SOCK"])
        agent.listen()
        assert pulumi_cli.environment(Path("/x/pulumi"), env)["SSH_AUTH_SOCK"] == env["SSH_AUTH_SOCK"]


OUTPUTS = {"hosts": {"pi1": {"cores": 4}}}


@pytest.mark.parametrize(
    ("action", "known"),
    [
        ("preview", OUTPUTS),
        ("up", {"deployment": {"resources": [{"type": "pulumi:pulumi:Stack", "outputs": OUTPUTS}]}}),
    ],
)
def test_workers_for_which_the_cores_of_the_last_up_are_too_few_never_reach_pulumi(
    project: Path, pulumi: Path, capsys: pytest.CaptureFixture[str], action: str, known: dict[str, object]
) -> None:
    hosts = "[{name: pi1, address: 198.51.100.1, role: server}]"
    (project / "Pulumi.dev.yaml").write_text(
        "config: {piray:platform: pi, piray:ssh: {user: pi}, piray:insecureHostKeys: true, "
        f"piray:workers: 2, piray:hosts: {hosts}}}\n"
    )
    assert pulumi_cli.main([action, "dev"]) == 0
    script = pulumi.parent / "bin" / "pulumi"
    answer = f"echo '{json.dumps(known)}'; exit"
    script.write_text(script.read_text().replace('  echo "error', f'  {answer}\n  echo "error'))
    assert pulumi_cli.main([action, "dev"]) == 2
    assert "servers hold 1 workers of 3 CPUs" in capsys.readouterr().err
    assert [line.split()[0] for line in pulumi.read_text().splitlines()].count(action) == 1
