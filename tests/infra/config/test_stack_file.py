"""What is said of a stack file before Pulumi sees it."""

from pathlib import Path
from typing import Any

import pytest

from infra.config.stack_file import StackFileError, check_cores, check_stack_file


def written(folder: Path, *lines: str) -> Path:
    path = folder / "Pulumi.home.yaml"
    path.write_text("config:\n" + "".join(f"  {line}\n" for line in lines))
    return path


@pytest.mark.parametrize("prefix", ["pyray", "Piray", "pi-ray", "piry"])
def test_a_prefix_that_is_a_slip_is_named_with_the_right_key(tmp_path: Path, prefix: str) -> None:
    path = written(tmp_path, "piray:platform: local", f"{prefix}:workers: 5")
    with pytest.raises(StackFileError, match=rf"{prefix}:workers \(write piray:workers\)"):
        check_stack_file(path)


def test_keys_of_pulumi_and_of_other_providers_are_left_to_them(tmp_path: Path) -> None:
    check_stack_file(written(tmp_path, "piray:platform: local", "pulumi:tags: {a: b}", "aws:region: x"))


def test_a_key_without_a_prefix_is_checked_as_pulumi_reads_it(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match="piray:workers = -5"):
        check_stack_file(written(tmp_path, "piray:platform: local", "workers: -5"))


ENCRYPTED = "{secure: v1:abc:def}"


def test_an_encrypted_value_is_blamed_for_nothing_and_hides_no_mistake_beside_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "piray:platform: pi",
        f"piray:ssh: {{user: pi, privateKeyFile: {ENCRYPTED}, prot: 22}}",
        "piray:hosts:",
        f"  - {{name: pi1, address: here, role: server, hostKey: {ENCRYPTED}, sudoPassword: {ENCRYPTED}}}",
        f"  - {ENCRYPTED}",
        f"piray:namespace: {ENCRYPTED}",
        f"piray:ray: {{runtimePackages: [{ENCRYPTED}]}}",
        f"piray:k3s: {ENCRYPTED}",
        f"piray:sudoPassword: {ENCRYPTED}",
    )
    with pytest.raises(StackFileError) as caught:
        check_stack_file(path)
    said = str(caught.value)
    assert said.count("\n    ") == 2 * 2, said
    assert "piray:ssh.prot" in said
    assert 'piray:hosts[0].address = "here"' in said


def test_a_platform_that_is_encrypted_is_not_said_to_be_missing(tmp_path: Path) -> None:
    check_stack_file(written(tmp_path, f"piray:platform: {ENCRYPTED}", f"piray:workers: {ENCRYPTED}"))


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("piray:sudoPassword: hush7", "piray:sudoPassword"),
        ("piray:sudoPassword: 777001", "piray:sudoPassword"),
        ("piray:hosts: [{name: pi1, sudoPassword: hush7}]", "piray:hosts[0].sudoPassword"),
        (f"piray:hosts: [{{name: {ENCRYPTED}, sudoPassword: 777001}}]", "piray:hosts[0].sudoPassword"),
    ],
)
def test_a_password_in_clear_is_refused_and_not_repeated(tmp_path: Path, line: str, path: str) -> None:
    with pytest.raises(StackFileError) as caught:
        check_stack_file(written(tmp_path, "piray:platform: pi", line))
    said = str(caught.value)
    assert f"{path} = [" in said
    assert "plain text" in said
    assert "hush7" not in said
    assert "777001" not in said


CORES = {"hosts": {"pi1": {"cores": 4}, "pi2": {"cores": 4, "memoryMib": 1800}}}
PIS = """hosts:
    - {name: pi1, address: 198.51.100.1, role: server}
    - {name: pi2, address: 198.51.100.2, role: agent}"""
GOOD = ("piray:platform: pi", "piray:ssh: {user: pi}", "piray:insecureHostKeys: true", f"piray:{PIS}")


def test_workers_for_which_the_hosts_of_the_last_up_lack_cores_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, *GOOD, "piray:workers: 2")
    check_stack_file(path)
    with pytest.raises(StackFileError) as caught:
        check_cores(path, CORES)
    said = str(caught.value)
    assert "piray:workers = 2" in said
    assert "agents hold 1 workers of 3 CPUs (pi2 1)" in said
    assert "at the last `make up`" in said
    assert "give its cpus in piray:hosts" in said


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"hosts": "[secret]"},
        {"hosts": {"pi2": "[secret]"}},
        {"hosts": {"pi1": {"cores": 4}, "pi2": {"cores": 16}}},
        {"hosts": {"pi1": {"cores": 4}}},
    ],
)
def test_hosts_that_have_the_cores_or_are_not_known_are_fine(tmp_path: Path, outputs: dict[str, Any]) -> None:
    check_cores(written(tmp_path, *GOOD, "piray:workers: 2"), outputs)


def test_what_the_file_says_of_cores_counts(tmp_path: Path) -> None:
    more = PIS.replace("role: agent", "role: agent, cpus: 16")
    check_cores(written(tmp_path, *GOOD[:-1], f"piray:{more}", "piray:workers: 2"), CORES)


def refusal(folder: Path, text: str) -> str:
    path = folder / "Pulumi.home.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StackFileError) as caught:
        check_stack_file(path)
    return str(caught.value)


def test_every_key_that_is_there_twice_is_refused_with_both_of_its_lines(tmp_path: Path) -> None:
    said = refusal(
        tmp_path,
        "config:\n"
        "  piray:platform: pi\n"
        "  piray:workers: 2\n"
        "  piray:hosts:\n"
        "    - name: pi1\n"
        "      role: server\n"
        "      name: pi2\n"
        "  'piray:workers': 3\n"
        "config:\n"
        "  piray:workers: 4\n",
    )
    assert "config.piray:hosts[0].name is there twice, in lines 5 and 7; delete one of them" in said
    assert "config.piray:workers is there twice, in lines 3 and 8" in said
    assert "config is there twice, in lines 1 and 9" in said
    assert said.count("there twice") == 3


def test_a_key_with_and_without_its_prefix_is_there_twice(tmp_path: Path) -> None:
    said = refusal(tmp_path, "config: {piray:platform: local, workers: 2, piray:workers: 3}")
    assert "workers is piray:workers" in said
    assert "delete one of them" in said


def test_the_same_key_in_two_places_and_an_anchor_used_twice_are_fine(tmp_path: Path) -> None:
    check_stack_file(written(tmp_path, "piray:platform: local", "aws:a: &a {region: x}", "aws:b: *a"))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "encryptionsalt: v1:salt\n"])
def test_a_file_without_config_is_told_that_config_is_missing_and_not_the_platform(
    tmp_path: Path, text: str
) -> None:
    said = refusal(tmp_path, text)
    assert "`config:` is missing" in said
    assert "piray:platform" not in said


def test_an_empty_config_is_named_so(tmp_path: Path) -> None:
    assert "`config:` is empty" in refusal(tmp_path, "config:\n")


def test_keys_that_stand_beside_config_are_named_with_where_they_belong(tmp_path: Path) -> None:
    said = refusal(tmp_path, "config:\npiray:platform: local\npiray:workers: 2\n")
    assert "piray:platform, piray:workers must stand below it" in said
    assert "indent" in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("config: {piray:hosts: &a [*a]}", "config.piray:hosts[0] holds itself"),
        ("config: {piray:namespace: 2026-13-45}", "put such a value in quotes"),
        ("config: [\n", "line 2: this is not YAML"),
        (
            "config:\n  piray:platform: pi\n  piray:workers:1\n  piray:arch: arm64\n",
            "line 3: this is not YAML",
        ),
        ("config:\n  a: 1\n  b 2\n  c: 3\n", "write `key: value`, with a colon and a blank behind it"),
        ("config:\n\ta: 1\n", "line 2: this is not YAML (a tab); indent with spaces only"),
        ("config:\n  a:\n    b: 1\n   c: 2\n", "line 4: this is not YAML (expected <block end>"),
        ("Config:\n  piray:platform: pi\n", "write it in the place of `Config:`"),
        ("config: \0", "this is not YAML"),
    ],
)
def test_what_is_no_tree_of_values_is_refused_without_a_traceback(
    tmp_path: Path, text: str, reason: str
) -> None:
    assert reason in refusal(tmp_path, text)


def test_a_file_in_another_encoding_is_refused_with_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.home.yaml"
    path.write_text("config: {piray:platform: local}", encoding="utf-16")
    with pytest.raises(StackFileError, match="no text in UTF-8; save it in that encoding"):
        check_stack_file(path)
