"""Rules between the fields of `ray.image`, and with those beside it."""

from collections.abc import Mapping
from typing import Any

from infra.config.problems import ABSENT, HIDDEN, ProblemList
from infra.config.ray_image import OFFICIAL_IMAGE, source_of
from infra.config.values.fields import image_name_and_tag
from infra.versions import RAY

_PATH = ("ray", "image")
PASSWORD = "registryPassword"  # noqa: S105 — the name of a key
# By their names in YAML, the fields that mean something to one source alone.
_ONLY = {
    "file": ("file", "archive"),
    "builder": ("builder", "build"),
    "plainHttp": ("plain_http", "registry"),
    "caCertificate": ("ca_certificate", "registry"),
    "user": ("user", "registry"),
}
_DEFAULTS = {"builder": "piray", "plain_http": False}


def registry_of(image: str) -> str | None:
    """Return the registry that an image reference names; None where it names none.

    >>> registry_of("192.168.1.5:5000/ray:1"), registry_of("rayproject/ray:2.60.0")
    ('192.168.1.5:5000', None)
    """
    first, slash, _ = image.partition("/")
    return first if slash and (set(".:") & set(first) or first == "localhost") else None


def check_image_rules(tree: Mapping[str, Any], secret_keys: frozenset[str], problems: ProblemList) -> None:
    """Check what is said of the image.

    Args:
        tree: The fields that could be read.
        secret_keys: Top-level keys that are encrypted.
        problems: Gets every broken rule.
    """
    image = tree.get("ray", {}).get("image") or {}
    if tree.get("platform") == "local":
        return
    source = source_of(image) if image else "official"
    if source is None:
        return
    _check_meaning(image, source, problems)
    _check_complete(image, source, problems)
    _check_registry(image, source, problems)
    _check_version(tree, image.get("reference"), source, problems)
    _check_password(tree, image, secret_keys, problems)


def _check_meaning(image: Mapping[str, Any], source: str, problems: ProblemList) -> None:
    for key, (field, owner) in _ONLY.items():
        if owner != source and image.get(field, _DEFAULTS.get(field)) != _DEFAULTS.get(field):
            problems.add(
                (*_PATH, key),
                HIDDEN,
                f"has no meaning for the source {source}",
                f"Delete it, or write `source: {owner}`.",
            )


def _check_complete(image: Mapping[str, Any], source: str, problems: ProblemList) -> None:
    if source == "archive" and image.get("file", "") is None:
        problems.add(
            (*_PATH, "file"),
            ABSENT,
            "is missing: with the source archive the image comes from a file",
            "Give its path. `piray image build piray-ray.tar` makes one.",
        )
    if source in ("archive", "registry") and image.get("reference", "") is None:
        where = "`piray image build` prints it" if source == "archive" else "as in 192.168.1.5:5000/ray:1"
        problems.add(
            (*_PATH, "reference"), ABSENT, "is missing: it is the name of the image", f"Give it, {where}."
        )
    reference = image.get("reference")
    if source in ("archive", "build") and reference and "@" in reference:
        problems.add(
            (*_PATH, "reference"),
            reference,
            "is named by its digest, and a file keeps names with a tag only",
            "Give a name with a tag, as in piray.internal/ray:1.",
        )
    if source == "official" and reference and image_name_and_tag(reference)[0] != OFFICIAL_IMAGE:
        problems.add(
            (*_PATH, "reference"),
            reference,
            f"is not {OFFICIAL_IMAGE}, the official image",
            "Delete it, or write `source: registry`.",
        )


def _check_registry(image: Mapping[str, Any], source: str, problems: ProblemList) -> None:
    if image.get("plain_http") and image.get("ca_certificate"):
        problems.add((*_PATH, "caCertificate"), HIDDEN, "is given beside plainHttp", "Delete one of the two.")
    reference = image.get("reference")
    if source != "registry" or not reference or registry_of(reference) is not None:
        return
    for key, field in (("plainHttp", "plain_http"), ("caCertificate", "ca_certificate")):
        if image.get(field):
            problems.add(
                (*_PATH, key),
                HIDDEN,
                f"has no meaning for {reference}, which names no registry of your own",
                "Delete it, or give the reference with the registry's address, as in 192.168.1.5:5000/ray:1.",
            )


def _check_version(
    tree: Mapping[str, Any], reference: str | None, source: str, problems: ProblemList
) -> None:
    version, arch = tree.get("ray", {}).get("version"), tree.get("arch")
    if source == "build" and version and version != RAY:
        problems.add(
            ("ray", "version"),
            version,
            f"is not {RAY}, the Ray that images/ray is made with",
            "Delete the line, or give an image of that version with another source.",
        )
    if not reference or not version or not arch:
        return
    name, tag = image_name_and_tag(reference)
    if name != OFFICIAL_IMAGE or tag is None:
        return
    remedy = "Delete the line to get the right official image."
    if tag.split("-")[0] != version:
        problems.add(_PATH, reference, f"is not of Ray {version}, the version of piray:ray.version", remedy)
    # The official tags are not multi-arch: without the suffix the image is for amd64.
    if tag.endswith("-aarch64") != (arch == "arm64"):
        problems.add(
            _PATH, reference, f"is not for {arch}: only tags with -aarch64 at their end are arm64", remedy
        )


def _check_password(
    tree: Mapping[str, Any],
    image: Mapping[str, Any],
    secret_keys: frozenset[str],
    problems: ProblemList,
) -> None:
    password, user = tree.get("registry_password"), image.get("user")
    store = f"`pulumi config set --secret piray:{PASSWORD} --stack STACK`"
    if password and PASSWORD not in secret_keys:
        problems.add(
            (PASSWORD,),
            HIDDEN,
            "is stored as plain text, which everyone who sees the stack file can read",
            f"Remove the line, choose another password at the registry, and store that with {store}.",
        )
    if password and user is None and "user" in image:
        problems.add(
            (PASSWORD,),
            HIDDEN,
            "is given without a user",
            "Give the user in ray.image.user, or delete the password.",
        )
    if user and password == "":
        problems.add(
            (*_PATH, "user"), user, "is given without a password", f"Store the password with {store}."
        )
