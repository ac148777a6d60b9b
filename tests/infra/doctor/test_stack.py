"""The stack file as the doctor reads it, with and without the Pulumi CLI."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.doctor.stack import DoctorError, read_stack
from tests.infra.doctor.made import host

CONFIG: dict[str, Any] = {
    "piray:platform": "pi",
    "piray:hosts": [host(1, "server").model_dump(by_alias=True, exclude_none=True)],
    "piray:ssh": {"user": "ada"},
}
PULUMI = """#!/bin/sh
[ "$*" = "config --json --show-secrets --stack {name}" ] || {{ echo "called with $*" >&2; exit 1; }}
cat {answer}
"""


def write(folder: Path, **changes: Any) -> None:
    config = {**CONFIG, **{f"piray:{key}": value for key, value in changes.items()}}
    (folder / "Pulumi.home.yaml").write_text(yaml.safe_dump({"config": config}))


@pytest.fixture(autouse=True)
def no_pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of PATH, in a home without anything."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "x")
    return programs


@pytest.mark.parametrize("name", ["home", "organization/piray/home"])
def test_a_file_without_secrets_needs_no_pulumi(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    stack = read_stack(name, tmp_path)
    assert [one.name for one in stack.config.hosts] == ["pi1"]
    assert stack.config.ssh.user == "ada"


def test_a_key_without_its_prefix_is_one_of_ours_and_those_of_others_are_left_out(tmp_path: Path) -> None:
    config = {
        "platform": "pi",
        "aws:region": "x",
        **{key: CONFIG[key] for key in ("piray:hosts", "piray:ssh")},
    }
    (tmp_path / "Pulumi.home.yaml").write_text(yaml.safe_dump({"config": config}))
    assert read_stack("home", tmp_path).config.platform == "pi"


def test_encrypted_values_without_pulumi_are_one_line_that_says_so(tmp_path: Path) -> None:
    write(tmp_path, sudoPassword={"secure": "v1:abc"})
    with pytest.raises(DoctorError, match="only the Pulumi CLI can read, and it is not installed") as caught:
        read_stack("home", tmp_path)
    assert "\n" not in str(caught.value)


def test_encrypted_values_are_asked_of_pulumi(tmp_path: Path, no_pulumi: Path) -> None:
    write(tmp_path, sudoPassword={"secure": "v1:abc"})
    answer = {
        key: {"value": json.dumps(value), "objectValue": value, "secret": False}
        for key, value in CONFIG.items()
    }
    answer["piray:platform"] = {"value": "pi", "secret": False}
    answer["piray:sudoPassword"] = {"value": "open sesame", "secret": True}
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    pulumi = no_pulumi / "pulumi"
    pulumi.write_text(PULUMI.format(name="home", answer=tmp_path / "answer.json"))
    pulumi.chmod(0o755)
    stack = read_stack("home", tmp_path)
    password = stack.config.ssh.sudo_password
    assert password is not None
    assert password.reveal() == "open sesame"
    assert stack.secret_keys == {"sudoPassword"}


def test_what_pulumi_says_when_it_cannot_is_passed_on(tmp_path: Path, no_pulumi: Path) -> None:
    write(tmp_path, sudoPassword={"secure": "v1:abc"})
    pulumi = no_pulumi / "pulumi"
    pulumi.write_text("#!/bin/sh\necho 'error: incorrect passphrase' >&2\nexit 255\n")
    pulumi.chmod(0o755)
    with pytest.raises(DoctorError, match=r"Pulumi\.home\.yaml: error: incorrect passphrase"):
        read_stack("home", tmp_path)


def test_a_mistake_in_the_file_is_told_as_up_tells_it(tmp_path: Path) -> None:
    write(tmp_path, workers=-1)
    with pytest.raises(DoctorError, match="piray:workers = -1"):
        read_stack("home", tmp_path)


@pytest.mark.parametrize(("name", "words"), [("none", "there is no stack file"), ("a b", "is not the name")])
def test_no_such_stack(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(DoctorError, match=words):
        read_stack(name, tmp_path)
