"""What is said of a stack file before Pulumi sees it."""

from pathlib import Path

import pytest

from infra.config.stack_file import StackFileError, check_stack_file


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
