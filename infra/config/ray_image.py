"""The shape of `ray.image` in a stack's configuration: which image the pods run, and how the hosts get it."""

from collections.abc import Mapping
from typing import Any, ClassVar

from infra.config.section import Section
from infra.config.values import fields, image_fields
from infra.config.values.fields import image_name_and_tag
from infra.config.values.ssh_keys import Secret
from infra.versions import IMAGE_PYTHON

OFFICIAL_IMAGE = "rayproject/ray"


class ImageKeys(Section):
    """What a stack file may say under `ray.image`; a text alone there is its reference.

    Attributes:
        source: "official", "registry", "archive" or "build"; None for the one that the other keys show.
        reference: Image reference with a fixed tag or digest.
        file: The archive, a path on the user's machine.
        builder: What makes the image there.
        plain_http: Whether the registry speaks HTTP without TLS.
        ca_certificate: The registry's own authority, as PEM text.
        user: Who logs in at the registry, with the stack's registryPassword.
    """

    SHORT: ClassVar[str] = "reference"

    source: image_fields.Source | None = None
    reference: fields.Image | None = None
    file: image_fields.File | None = None
    builder: image_fields.Builder = "piray"
    plain_http: fields.Switch = False
    ca_certificate: image_fields.Certificate | None = None
    user: image_fields.RegistryUser | None = None


class ImageSource(Section):
    """How the hosts get the image; only what belongs to its source is given.

    Attributes:
        kind: "official", "registry", "archive" or "build".
        file: The archive, a path on the user's machine.
        builder: What makes the image there.
        plain_http: Whether the registry speaks HTTP without TLS.
        ca_certificate: The registry's own authority, as PEM text.
        user: Who logs in at the registry.
        password: What the registry asks that user for.
    """

    kind: image_fields.Source = "official"
    file: image_fields.File | None = None
    builder: image_fields.Builder = "piray"
    plain_http: fields.Switch = False
    ca_certificate: image_fields.Certificate | None = None
    user: image_fields.RegistryUser | None = None
    password: Secret | None = None


def source_of(image: Mapping[str, Any]) -> Any:
    """Return where an image comes from.

    Args:
        image: The fields of ImageKeys that could be read; a field with a mistake is missing.

    Returns:
        One of the sources; None where a mistake hides it.
    """
    if "source" not in image or "reference" not in image or "file" not in image:
        return image.get("source")
    if image["source"]:
        return image["source"]
    if image["file"]:
        return "archive"
    reference = image["reference"]
    return "official" if reference is None or reference.startswith(f"{OFFICIAL_IMAGE}:") else "registry"


def official_image(version: str, arch: str) -> str:
    """Return the reference of Ray's own image.

    Args:
        version: Of Ray.
        arch: "arm64" or "amd64".
    """
    suffix = "-aarch64" if arch == "arm64" else ""
    return f"{OFFICIAL_IMAGE}:{version}-py{IMAGE_PYTHON.replace('.', '')}{suffix}"


def holds_all(reference: str | None) -> bool:
    """Say whether an image is one of the user's own, which holds what the workloads need."""
    return reference is not None and image_name_and_tag(reference)[0] != OFFICIAL_IMAGE
