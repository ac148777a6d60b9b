"""An archive of the Ray image that is on this machine already, taken into a mirror."""

import shutil
from pathlib import Path

from infra.download import sha256_of
from infra.mirror.contents import Wanted, image_names, images_folder
from infra.mirror.image import wrong_image
from infra.mirror.problems import MirrorError
from infra.mirror.sums import add_sum


def take(archive: Path, directory: Path, wanted: Wanted) -> None:
    """Copy an archive into a mirror, under the name that hosts look for.

    Args:
        archive: As `piray image build` or `docker save` writes it.
        directory: The mirror; made if it is not there.
        wanted: What it has to hold.

    Raises:
        MirrorError: If it is not there, holds another image than the stack's, or cannot be copied.
    """
    if not archive.is_file():
        raise MirrorError(
            f"{archive} is not there, and the image comes from it; make it with `piray image build`, or name "
            "another file with --archive"
        )
    if problem := wrong_image(archive, wanted.image, wanted.arch):
        raise MirrorError(
            f"{problem}; give the right file with --archive, or its name with --image and its processor with "
            "--arch"
        )
    folder, name = images_folder(directory), image_names(wanted.image)[-1]
    part = folder / f".{name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(archive, part)
        part.replace(folder / name)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise MirrorError(f"{folder / name} cannot be written ({error.strerror}); make room there") from None
    add_sum(folder / wanted.sums_name, name, sha256_of(folder / name))
