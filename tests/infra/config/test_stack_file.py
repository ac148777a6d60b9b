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
