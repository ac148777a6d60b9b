"""Lists of sums beside the files of a mirror."""

from pathlib import Path

from infra.mirror.contents import read_sums


def add_sum(list_file: Path, name: str, digest: str) -> None:
    """Let a list have the sum of a file; the other lines stay."""
    sums = read_sums(list_file.read_text()) if list_file.exists() else {}
    sums[name] = digest
    write_whole(list_file, "".join(f"{value}  {key}\n" for key, value in sorted(sums.items())))


def write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)
