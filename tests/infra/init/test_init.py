"""`piray init` without a terminal: the whole program in a network with three real SSH servers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.config.stack_file import check_stack_file
from tests.infra.init.conftest import ROOT, Project
from tests.infra.init.network import LATE, NOBODY, PI1, PI2, PI3, Network

HOSTS = ["--host", f"pi1={PI1}", "--host", f"pi2={PI2}", "--host", f"pi3={PI3}"]


def config(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load(path.read_text())["config"]
    return loaded


def test_compared_fingerprints_make_a_stack_file_with_pinned_keys(home: Project, pis: Network) -> None:
    accepted = [word for address in pis.keys for word in ("--accept-host-key", pis.fingerprints[address])]
    result = home.init("home", *HOSTS, "--user", "anna", "--key-file", "ssh/key", *accepted)
    assert result.returncode == 0, result.stderr
    check_stack_file(home.stack())
    written = config(home.stack())
    assert written["piray:hosts"] == [
        {"name": "pi1", "address": PI1, "role": "server", "hostKey": pis.keys[PI1]},
        {"name": "pi2", "address": PI2, "role": "agent", "hostKey": pis.keys[PI2]},
        {"name": "pi3", "address": PI3, "role": "agent", "hostKey": pis.keys[PI3]},
    ]
    assert written["piray:ssh"] == {"user": "anna", "privateKeyFile": str(home.folder / "ssh/key")}
    assert written["piray:workers"] == 2
    assert home.contents() == {"Pulumi.home.yaml"}


def test_another_server_another_number_of_workers_and_trust_on_a_network_of_ones_own(
    home: Project, pis: Network
) -> None:
    others = ["--server", "pi2", "--workers", "5", "--arch", "amd64", "--trust-scanned-keys"]
    assert home.init("home", *HOSTS, "--user", "anna", *others).returncode == 0
    written = config(home.stack())
    hosts = written["piray:hosts"]
    assert isinstance(hosts, list)
    assert [host["role"] for host in hosts] == ["agent", "server", "agent"]
    assert (written["piray:workers"], written["piray:arch"]) == (5, "amd64")
    assert written["piray:ssh"] == {"user": "anna"}


def test_all_that_is_missing_or_wrong_is_named_at_once_and_nothing_is_written(
    home: Project, pis: Network
) -> None:
    result = home.init(
        "home",
        "--host",
        f"pi1={PI1}",
        "--host",
        f"pi4={NOBODY}",
        "--host",
        "pi_5=192.0.2.15",
        "--workers",
        "-1",
    )
    assert result.returncode == 2
    for said in (
        '--host "pi_5=192.0.2.15" must be a name',
        "--user is missing",
        '--workers "-1" must be a whole number',
        f"pi4: no SSH server with a usable key answers at {NOBODY}",
        f"pi1 shows the key {pis.fingerprints[PI1]}, which nobody has compared",
        f"add --accept-host-key {pis.fingerprints[PI1]}",
    ):
        assert said in result.stderr
    assert home.contents() == set()


def test_a_fingerprint_of_another_machine_is_refused(home: Project, pis: Network) -> None:
    wrong = f"SHA256:{'A' * 43}"
    result = home.init("home", "--host", f"pi1={PI1}", "--user", "anna", "--accept-host-key", wrong)
    assert result.returncode == 2
    assert f"--accept-host-key {wrong} is not the key of any Pi here" in result.stderr
    assert f"pi1 shows the key {pis.fingerprints[PI1]}" in result.stderr
    assert home.contents() == set()


def test_every_wrong_option_is_told_at_once_by_value_rule_and_remedy(project: Project) -> None:
    wrong = {
        ("--host", "pi2=127.0.0.1"): "is a loopback",
        ("--host", "pi1=192.0.2.12"): "is also the name of hosts[0]",
        ("--host", "pi3=192.0.2.11"): "is also the address of hosts[0]",
        ("--host", "nobody-has-this-name"): "has no address",
        ("--server", "pi9"): "is none of pi1",
        ("--user", "Anna Lee"): "is not the name of a Linux user",
        ("--key-file", "ssh/none"): "does not exist",
        ("--port", "99999"): "must be a whole number from 1 to 65535",
        ("--arch", "armv7l"): "must be one of arm64, amd64",
        ("--sudo-password", "perhaps"): "must be one of ask, none",
        ("--accept-host-key", "AB:CD"): "is not a fingerprint",
        ("--gateway", "192.0.2.1"): "--gateway, --dns: only with --cards DIR",
        ("--dns", "192.0.2.1"): "--gateway, --dns: only with --cards DIR",
    }
    options = [word for pair in wrong for word in pair]
    result = project.init("home", "--host", "pi1=192.0.2.11", *options)
    assert result.returncode == 2
    for (option, _), said in wrong.items():
        assert option in result.stderr
        assert said in result.stderr
    assert project.contents() == set()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--key-file", "ssh/locked"], "with a passphrase"),
        (["--key-file", "ssh/key.pub"], "is a public key"),
        (["--key-file", "ssh/key", "--agent"], "say different things"),
    ],
    ids=["passphrase", "public", "agent as well"],
)
def test_a_key_that_pulumi_cannot_use_is_refused(project: Project, options: list[str], said: str) -> None:
    result = project.init("home", *options)
    assert result.returncode == 2
    assert said in result.stderr


def test_two_servers_are_refused_by_the_rule_of_the_stack_file(home: Project) -> None:
    result = home.init("home", *HOSTS, "--user", "anna", "--server", "pi1", "--server", "pi2")
    assert result.returncode == 2
    assert "has 2 servers: etcd needs more than half of them alive" in result.stderr
    assert home.contents() == set()


def test_a_file_that_is_there_is_left_as_it_is_unless_told_otherwise(home: Project) -> None:
    home.stack().write_text("config: {}  # mine\nencryptionsalt: v1:salt\n")
    arguments = ["home", "--host", f"pi1={PI1}", "--user", "anna", "--trust-scanned-keys"]
    refused = home.init(*arguments)
    assert refused.returncode == 2
    assert "is there already" in refused.stderr
    assert home.stack().read_text() == "config: {}  # mine\nencryptionsalt: v1:salt\n"

    assert home.init(*arguments, "--replace-stack").returncode == 0
    check_stack_file(home.stack())
    assert yaml.safe_load(home.stack().read_text())["encryptionsalt"] == "v1:salt"
    assert (
        home.folder / "Pulumi.home.yaml.bak"
    ).read_text() == "config: {}  # mine\nencryptionsalt: v1:salt\n"


def test_a_file_that_was_kept_is_never_overwritten(home: Project) -> None:
    home.stack().write_text("mine")
    arguments = ["home", "--host", f"pi1={PI1}", "--user", "anna", "--trust-scanned-keys", "--replace-stack"]
    assert "is kept as Pulumi.home.yaml.bak.\n" in home.init(*arguments).stderr
    second = home.stack().read_text()
    assert "is kept as Pulumi.home.yaml.bak.2.\n" in home.init(*arguments).stderr
    assert (home.folder / "Pulumi.home.yaml.bak").read_text() == "mine"
    assert (home.folder / "Pulumi.home.yaml.bak.2").read_text() == second


def test_a_folder_that_nothing_can_be_written_to_is_named(home: Project) -> None:
    # No file can have a name this long beside the stack file, whoever runs the tests.
    name = "h" * 235
    home.stack(name).write_text("mine")
    arguments = ["--host", f"pi1={PI1}", "--user", "anna", "--trust-scanned-keys", "--replace-stack"]
    result = home.init(name, *arguments)
    assert result.returncode == 2
    assert f"Pulumi.{name}.yaml.bak cannot be written" in result.stderr
    assert home.contents() == {f"Pulumi.{name}.yaml"}
    assert home.stack(name).read_text() == "mine"


@pytest.mark.parametrize("name", ["../home", "a b", "-x", ""])
def test_a_name_that_is_no_stacks_is_refused(project: Project, name: str) -> None:
    result = project.init("--", name)
    assert result.returncode == 2
    assert "is not the name of a stack" in result.stderr


def test_the_doctor_looks_at_the_new_stack_and_its_status_is_passed_on(home: Project) -> None:
    doctor = home.folder / "infra/doctor/__main__.py"
    doctor.write_text("import sys; print('looked at', sys.argv[1:]); sys.exit(1)\n")
    arguments = ["home", "--host", f"pi1={PI1}", "--user", "anna", "--trust-scanned-keys"]
    looked = home.init(*arguments)
    assert (looked.returncode, looked.stdout) == (1, "looked at ['home']\n")
    check_stack_file(home.stack())
    assert home.init(*arguments, "--replace-stack", "--no-doctor").returncode == 0


def test_the_command_piray_hands_everything_over(tmp_path: Path) -> None:
    def piray(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workloads.cli", "init", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    asked = piray("--help")
    assert asked.returncode == 0
    assert "--trust-scanned-keys" in asked.stdout
    refused = piray("a b", "--user", "anna")
    assert refused.returncode == 2
    assert '"a b" is not the name of a stack' in refused.stderr


def test_two_pis_with_the_same_host_key_are_refused_even_on_a_network_of_ones_own(
    home: Project, pis: Network
) -> None:
    hosts = ["--host", f"pi1={PI1}", "--host", f"pi2={LATE}"]
    with pis.server(LATE, clone_of=PI1):
        result = home.init("home", *hosts, "--user", "anna", "--trust-scanned-keys")
    assert result.returncode == 2
    assert f"pi1 ({PI1}) and pi2 ({LATE}) show the same host key, {pis.fingerprints[PI1]}" in result.stderr
    assert "sudo dpkg-reconfigure openssh-server" in result.stderr
    assert home.contents() == set()
