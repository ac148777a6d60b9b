"""Fills a mirror: each part on its own, so that one that fails keeps none of the others away."""

from collections.abc import Callable, Iterator
from pathlib import Path

from infra.download import DownloadError, NotThereError, fetch, fetch_text, sha256_of
from infra.k3s.release import WHEELS_FOLDER
from infra.kuberay.definitions import definitions_url
from infra.mirror.contents import Wanted, image_names, images_folder, read_sums
from infra.mirror.image import save_image
from infra.mirror.problems import MirrorError
from infra.mirror.sums import add_sum, write_whole
from infra.mirror.wheels import download_wheels
from infra.versions import KUBERAY

Say = Callable[[str], None]


def fill(directory: Path, wanted: Wanted, source: str | None, say: Say) -> list[str]:
    """Fill a mirror with what is missing.

    Args:
        directory: The mirror; made if it is not there.
        wanted: What it has to hold.
        source: Another mirror that has k3s and the Ray image; None for the releases and the image's registry.
        say: Gets one line for each part.

    Returns:
        What could not be had, each with the remedy.
    """
    problems = []
    for part in (_k3s, _install_script, _images, _definitions, _wheels):
        try:
            for line in part(directory, wanted, source):
                say(line)
        except (DownloadError, MirrorError) as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(
                f"{error.filename or directory} cannot be written ({error.strerror}); make room there"
            )
    return problems


def _k3s(directory: Path, wanted: Wanted, source: str | None) -> Iterator[str]:
    release, folder = wanted.release(source), directory / wanted.k3s_version
    text = fetch_text(release.sums_url)
    sums = read_sums(text)
    if release.binary_name not in sums:
        raise MirrorError(f"{release.sums_url} has no sum for {release.binary_name}; choose another --from")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / wanted.sums_name, text)
    fetch(release.binary_url, folder / release.binary_name, sums[release.binary_name])
    yield f"k3s {wanted.k3s_version}"
    base = release.sums_url.rpartition("/")[0]
    for name in wanted.images_names:
        try:
            if name in sums:
                fetch(f"{base}/{name}", folder / name, sums[name])
                yield f"its images, {name}"
                return
        except NotThereError:
            continue
    raise MirrorError(
        f"{base} has no {wanted.images_names[0]}; without it no pod can start; choose another --from"
    )


def _install_script(directory: Path, wanted: Wanted, source: str | None) -> Iterator[str]:
    release = wanted.release(source)
    fetch(release.install_script_url, directory / "install.sh", release.install_script_sha256)
    yield "its install script"


def _images(directory: Path, wanted: Wanted, source: str | None) -> Iterator[str]:
    for what, image in wanted.images.items():
        _image(directory, wanted, image, source)
        yield f"{what} {image}"


def _image(directory: Path, wanted: Wanted, image: str, source: str | None) -> None:
    folder = images_folder(directory)
    folder.mkdir(parents=True, exist_ok=True)
    list_file = folder / wanted.sums_name
    sums = read_sums(list_file.read_text()) if list_file.exists() else {}
    name = next((name for name in image_names(image) if name in sums), "")
    if not name or sha256_of(folder / name) != sums[name]:
        name, digest = _from_mirror(folder, wanted, image, source) if source else ("", "")
        if not name:
            name = image_names(image)[-1]
            save_image(image, wanted.arch, folder / name)
            digest = sha256_of(folder / name)
        add_sum(list_file, name, digest)


def _from_mirror(folder: Path, wanted: Wanted, image: str, source: str | None) -> tuple[str, str]:
    """Take the archive from another mirror; return its name and sum, empty if that has none."""
    url = wanted.release(source).image_sums_url
    try:
        sums = read_sums(fetch_text(str(url)))
    except NotThereError:
        return "", ""
    for name in image_names(image):
        if name in sums:
            fetch(f"{str(url).rpartition('/')[0]}/{name}", folder / name, sums[name])
            return name, sums[name]
    return "", ""


def _definitions(directory: Path, wanted: Wanted, source: str | None) -> Iterator[str]:
    for path, sha256 in wanted.definitions.items():
        fetch(f"{definitions_url(source)}/{path.rpartition('/')[2]}", directory / path, sha256)
    if wanted.definitions:
        yield f"the definitions of KubeRay {KUBERAY}"


def _wheels(directory: Path, wanted: Wanted, source: str | None) -> Iterator[str]:
    del source  # pip knows its index.
    if not wanted.packages:
        return
    folder = directory / WHEELS_FOLDER
    download_wheels(wanted.packages, wanted.arch, folder)
    sums = [f"{sha256_of(file)}  {file.name}\n" for file in sorted(folder.glob("*.whl"))]
    write_whole(folder / wanted.sums_name, "".join(sums))
    yield f"wheels of {', '.join(wanted.packages)}"
