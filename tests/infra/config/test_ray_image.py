"""The Ray image: where it comes from, and the answer to each mistake."""

from typing import Any

import pytest

from infra.config.parse import parse
from infra.config.ray_image import ImageSource
from infra.config.values.ssh_keys import Secret
from tests.infra.config.made import problems_of, stack

LAN = "192.168.1.5:5000/ray:2.60.0-1"
OFFICIAL = "rayproject/ray:2.60.0-py311-aarch64"
BUILT = "piray.internal/ray:2.60.0-0123456789ab"
PEM = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\nZm9vYmFy==\n-----END CERTIFICATE-----\n"
PASSWORD_ENCRYPTED = frozenset({"registryPassword"})


def image(keys: Any, **others: Any) -> dict[str, Any]:
    return stack(ray={"image": keys}, **others)


# id, configuration, path of its only problem, words of the problem's text.
BAD: list[tuple[str, dict[str, Any], str, list[str]]] = [
    ("unknown source", image({"source": "dockerhub"}), "ray.image.source", ["official, registry, archive"]),
    ("unknown key", image({"registry": "x"}), "ray.image.registry", ["not a key"]),
    ("image as a list", image(["a"]), "ray.image", ["keys with values"]),
    (
        "another image as the official one",
        image({"source": "official", "reference": LAN}),
        "ray.image.reference",
        ["is not rayproject/ray", "source: registry"],
    ),
    ("registry without a name", image({"source": "registry"}), "ray.image.reference", ["is missing"]),
    (
        "archive without a name",
        image({"source": "archive", "file": "ray.tar"}),
        "ray.image.reference",
        ["is missing", "piray image build"],
    ),
    (
        "archive without a file",
        image({"source": "archive", "reference": BUILT}),
        "ray.image.file",
        ["is missing", "piray image build"],
    ),
    (
        "archive of a digest",
        image({"file": "ray.tar", "reference": f"localhost/ray@sha256:{'0' * 64}"}),
        "ray.image.reference",
        ["tag only"],
    ),
    (
        "a file for a registry",
        image({"source": "registry", "reference": LAN, "file": "ray.tar"}),
        "ray.image.file",
        ["no meaning for the source registry", "source: archive"],
    ),
    (
        "a builder for the official image",
        image({"builder": "docker"}),
        "ray.image.builder",
        ["no meaning", "source: build"],
    ),
    ("unknown builder", image({"source": "build", "builder": "kaniko"}), "ray.image.builder", ["one of"]),
    (
        "plain HTTP for a registry of nobody's",
        image({"source": "registry", "reference": "class/ray:1", "plainHttp": True}),
        "ray.image.plainHttp",
        ["names no registry of your own"],
    ),
    (
        "plain HTTP for the official image",
        image({"reference": OFFICIAL, "plainHttp": True}),
        "ray.image.plainHttp",
        ["no meaning for the source official"],
    ),
    (
        "an authority for plain HTTP",
        image({"reference": LAN, "plainHttp": True, "caCertificate": PEM}),
        "ray.image.caCertificate",
        ["beside plainHttp"],
    ),
    (
        "no certificate",
        image({"reference": LAN, "caCertificate": "/etc/ssl/ca.crt"}),
        "ray.image.caCertificate",
        ["certificate as text", "caCertificate: |"],
    ),
    (
        "a user without a password",
        image({"reference": LAN, "user": "anna"}),
        "ray.image.user",
        ["config set"],
    ),
    (
        "a build of another Ray",
        stack(ray={"version": "2.61.1", "image": {"source": "build"}}),
        "ray.version",
        ["images/ray"],
    ),
    ("an empty file name", image({"file": "", "reference": BUILT}), "ray.image.file", ["path of a file"]),
]


@pytest.mark.parametrize(("values", "path", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_mistake_is_told_with_its_path_rule_and_remedy(
    values: dict[str, Any], path: str, words: list[str]
) -> None:
    problems = problems_of(values)
    assert [problem.path for problem in problems] == [f"piray:{path}"]
    missing = [word for word in words if word not in str(problems[0])]
    assert not missing, f"{missing} not in:\n{problems[0]}"


def test_all_mistakes_of_an_image_are_told_at_once() -> None:
    keys = {"source": "official", "reference": LAN, "file": "x", "builder": "docker", "user": "anna"}
    assert sorted(problem.path for problem in problems_of(image(keys))) == [
        "piray:ray.image.builder",
        "piray:ray.image.file",
        "piray:ray.image.reference",
        "piray:ray.image.user",
        "piray:ray.image.user",
    ]


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({}, "official"),
        (OFFICIAL, "official"),
        (LAN, "registry"),
        ("192.168.1.5:5000/rayproject/ray:2.60.0-py311-aarch64", "registry"),
        ({"reference": LAN}, "registry"),
        ({"file": "ray.tar", "reference": BUILT}, "archive"),
        ({"source": "build"}, "build"),
    ],
)
def test_without_a_source_the_other_keys_show_it(keys: Any, kind: str) -> None:
    assert parse(image(keys)).ray.image_source.kind == kind


def test_a_text_alone_is_the_reference() -> None:
    assert parse(image(LAN)) == parse(image({"reference": LAN}))


def test_an_image_that_is_built_is_known_by_name_before_it_is_and_needs_no_packages() -> None:
    ray = parse(image({"source": "build"})).ray
    name, _, digits = ray.image.rpartition("-")
    assert name == "piray.internal/ray:2.60.0"
    assert len(digits) == 12
    assert ray.runtime_packages == ()
    assert parse(image({"source": "build", "builder": "docker"})).ray.image != ray.image
    assert parse(image({"source": "build"}, arch="amd64")).ray.image != ray.image
    assert parse(image({"source": "build", "reference": BUILT})).ray.image == BUILT


def test_a_registry_may_have_an_authority_and_a_login() -> None:
    keys = {"reference": LAN, "user": "anna", "caCertificate": f"\n  {PEM}"}
    values = image(keys, registryPassword="hush7")
    ray = parse(values, secret_keys=PASSWORD_ENCRYPTED).ray
    assert ray.image_source == ImageSource(
        kind="registry", ca_certificate=PEM, user="anna", password=Secret("hush7")
    )
    assert ray.pull_secret == "ray-registry"
    assert "hush7" not in repr(ray)


@pytest.mark.parametrize("password", ["hush7", 777001])
def test_a_password_in_clear_is_refused_and_not_repeated(password: Any) -> None:
    values = image({"reference": LAN, "user": "anna"}, registryPassword=password)
    (problem,) = problems_of(values, secret_keys=frozenset())
    assert problem.path == "piray:registryPassword"
    assert str(password) not in str(problem)


def test_a_password_without_a_user_is_a_mistake() -> None:
    (problem,) = problems_of(image(LAN, registryPassword="x"), secret_keys=PASSWORD_ENCRYPTED)
    assert "without a user" in problem.rule
