"""Types of single values below `ray.image`."""

import re
from typing import Annotated, Literal

from infra.config.problems import InvalidValueError
from infra.config.values.checks import one_of, pattern, text

# The whole file as openssl writes it; several may follow each other.
_PEM = re.compile(
    r"(-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]+\n)+-----END CERTIFICATE-----\n?)+", re.ASCII
)


def _certificate(value: str) -> str:
    lines = "".join(f"{line.strip()}\n" for line in value.splitlines() if line.strip())
    if not _PEM.fullmatch(lines):
        raise InvalidValueError(
            "must be a certificate as text (PEM), from BEGIN CERTIFICATE to END CERTIFICATE",
            "Write `caCertificate: |` and the lines of the file below it, two blanks further in.",
        )
    return lines


def _file(value: str) -> str:
    if not value or "\0" in value:
        raise InvalidValueError("must be the path of a file", "Give the archive, as in piray-ray.tar.")
    return value


Source = Annotated[
    Literal["official", "registry", "archive", "build"],
    one_of(
        ("official", "registry", "archive", "build"),
        "Write official for Ray's own image, registry for one of yours, archive for a file, or build.",
    ),
]
Builder = Annotated[
    Literal["piray", "docker", "podman"],
    one_of(("piray", "docker", "podman"), "Write piray, which needs no other program, or delete the line."),
]
File = Annotated[str, text(_file)]
Certificate = Annotated[str, text(_certificate)]
RegistryUser = Annotated[
    str,
    pattern(
        re.compile(r"[!-9;-~]{1,255}"),
        "must be a user name of visible characters without a colon",
        "Give the name with which you log in at the registry.",
    ),
]
