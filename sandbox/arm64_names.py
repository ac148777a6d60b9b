"""The stand-in for k3s under the names of arm64: for hosts that say they are, and whose pods are emulated."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.k3s.release import K3sRelease, images_name, k3s_release
from sandbox import release


@contextmanager
def offered_as_arm64(mirror: Path) -> Iterator[None]:
    """Let a mirror have its releases under the names of arm64, too, inside the block.

    They run on hosts that say of themselves that they are arm64, and whose pods are emulated.

    Args:
        mirror: Of the stand-in, for this machine's processor.
    """
    made: list[Path] = []
    arch = release.architecture()
    try:
        for version in release.VERSIONS:
            ours, theirs = k3s_release(version, arch), k3s_release(version, "arm64")
            folder = mirror / version
            names = {
                ours.binary_name: theirs.binary_name,
                f"{images_name(arch)}.gz": f"{images_name('arm64')}.gz",
            }
            sums = (folder / _sums_name(ours)).read_text().split()
            entries = zip(sums[::2], sums[1::2], strict=True)
            made += [folder / name for name in (*names.values(), _sums_name(theirs))]
            for name, other in names.items():
                (folder / other).symlink_to(name)
            text = "".join(f"{digest}  {names[name]}\n" for digest, name in entries)
            (folder / _sums_name(theirs)).write_text(text)
        yield
    finally:
        for file in made:
            file.unlink(missing_ok=True)


def _sums_name(of: K3sRelease) -> str:
    return of.sums_url.rsplit("/", 1)[1]
