"""The full name of an image, as containerd keeps it."""

from infra.config.image_rules import registry_of
from infra.names import DOCKER_HUB


def full_reference(image: str) -> str:
    """Return an image reference with its registry.

    >>> full_reference("rayproject/ray:2.60.0"), full_reference("localhost/ray:1"), full_reference("ray:1")
    ('docker.io/rayproject/ray:2.60.0', 'localhost/ray:1', 'docker.io/library/ray:1')
    """
    if registry_of(image) is not None:
        return image
    return f"{DOCKER_HUB}/{image if '/' in image else f'library/{image}'}"
