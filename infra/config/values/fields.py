"""Types of single values in a stack's configuration: each reads what YAML or `pulumi config set` may hold.

A check sees one value and nothing around it; rules between values are in `infra/config/rules.py`.
"""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from infra.config.problems import InvalidValueError
from infra.config.values.addresses import LABEL, parse_address, parse_jump_host
from infra.config.values.checks import as_list, as_switch, as_text, one_of, pattern, text
from infra.config.values.numbers import whole_number
from infra.config.values.ssh_keys import Secret, parse_host_key
from infra.config.values.sudo_password import parse_sudo_password
from infra.versions import K3S, NUMBA, RAY

# Kubernetes counts replicas and completions with 32 bits.
MAX_INT32 = 2**31 - 1
# Pulumi and its outputs pass numbers as doubles: larger ones would be rounded silently.
MAX_EXACT_INT = 2**53 - 1
# Of one pod: hours on a Pi. The pod's program has the same limit; tests/test_contract.py compares them.
MAX_SAMPLES = 10**12
# Each is a set of Ray's processes, 0.4 GB together.
MAX_LOCAL_WORKERS = 64
# Kubernetes refuses an Indexed Job with more: maxParallelismForIndexedJob in pkg/apis/batch/validation.
MAX_COMPLETIONS = 100_000
# A head with its dashboard was measured at about 1 GiB before any job: with less it is killed at its start.
MIN_HEAD_MEMORY_MIB = 1024
# An idle Ray worker was measured at about 0.5 GiB, and one Python process with numba needs 0.15–0.3 GiB more.
MIN_WORKER_MEMORY_MIB = 768
# A k3s agent needs 512 MB; less than 256 is a number in GiB or a slip.
MIN_HOST_MEMORY_MIB = 256
MAX_HOST_MEMORY_MIB = 1024 * 1024

_LABEL_RULE = (
    "must be a name of at most 63 small letters, digits and hyphens, without a hyphen at its start or end "
    "(RFC 1123)"
)
_K3S_VERSION = re.compile(r"v([0-9]{1,9})\.([0-9]{1,9})\.[0-9]+\+k3s[0-9]+")
# piray gives the kubelet a setting that older ones end at (failCgroupV1). https://kep.k8s.io/4569
_K3S_OLDEST = (1, 31)
_RAY_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[A-Za-z0-9,._-]+\])?==[A-Za-z0-9][A-Za-z0-9.+!_-]*"
)
_PATH_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
# https://pkg.go.dev/github.com/distribution/reference
# A first part without dot or port is no registry: in "rayproject/ray" it belongs to the name.
_REGISTRY = r"localhost(?::[0-9]+)?|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(?::[0-9]+)?|[A-Za-z0-9-]+:[0-9]+"
_IMAGE = re.compile(
    rf"(?:(?:{_REGISTRY})/)?(?P<name>{_PATH_PART}(?:/{_PATH_PART})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?"
)
_MAX_IMAGE_CHARACTERS = 512


def _k3s_version(value: str) -> str:
    match = _K3S_VERSION.fullmatch(value)
    if match is None:
        raise InvalidValueError(
            f"must be a k3s release such as {K3S}",
            "Take the tag as https://github.com/k3s-io/k3s/releases writes it, with v and +k3s1.",
        )
    if (int(match[1]), int(match[2])) < _K3S_OLDEST:
        raise InvalidValueError(
            f"is older than {_K3S_OLDEST[0]}.{_K3S_OLDEST[1]}, the first that knows failCgroupV1",
            f"Take {K3S}, or another release that is still maintained.",
        )
    return value


def _ray_version(value: object) -> str:
    # YAML takes two numbers with a point for one number, and 2.60 for 2.6.
    if not isinstance(value, str) or not _RAY_VERSION.fullmatch(value):
        raise InvalidValueError(
            f"must be a Ray release such as {RAY}", "Give all three numbers, without v and without quotes."
        )
    return value


def _namespace(value: str) -> str:
    if not LABEL.fullmatch(value):
        raise InvalidValueError(_LABEL_RULE, "Choose a name such as ray.")
    if value == "default" or value.startswith("kube-"):
        raise InvalidValueError(
            "belongs to Kubernetes itself; the program makes its own namespace, and deletes it in the end",
            "Choose a name such as ray.",
        )
    return value


def _mirror(value: str) -> str:
    remedy = "Give the directory's address, as in http://192.0.2.10:8080/k3s."
    rule = "must be an http:// or https:// address with a host, and no blanks, quotes, query or fragment"
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise InvalidValueError(rule, remedy) from None
    if parts.username is not None or parts.password is not None:
        raise InvalidValueError(
            "holds a user name or password, which would be stored and shown as plain text",
            "Use a mirror that needs no login inside your network.",
        )
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not re.fullmatch(r"[!-~]+", value)
        or re.search(r"[\"'`\\<>?#]", value)
    ):
        raise InvalidValueError(rule, remedy)
    return value.rstrip("/")


def check_image(value: str) -> str:
    """Return an image reference if its tag or digest is fixed.

    Raises:
        InvalidValueError: If it is none, or may mean another image tomorrow.
    """
    remedy = f"Give a reference with a fixed tag or digest, as in registry.example/ray:{RAY}-1."
    match = _IMAGE.fullmatch(value) if len(value) <= _MAX_IMAGE_CHARACTERS else None
    if match is None:
        raise InvalidValueError("is not an image reference", remedy)
    if not match["digest"] and match["tag"] in (None, "latest"):
        raise InvalidValueError(
            "has no fixed tag: the image could change between two Pis, and Ray's version with it", remedy
        )
    return value


def image_name_and_tag(image: str) -> tuple[str, str | None]:
    """Split a checked image reference into its name without the registry, and its tag.

    >>> image_name_and_tag("registry.example:5000/rayproject/ray:2.60.0-py311")
    ('rayproject/ray', '2.60.0-py311')
    """
    match = _IMAGE.fullmatch(image)
    if match is None:
        raise ValueError(f"{image} is not an image reference")
    return match["name"], match["tag"]


def _digits_or_text(value: object) -> str:
    return as_text(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


Switch = Annotated[bool, BeforeValidator(as_switch)]
Text = Annotated[str, text(str)]
# YAML takes digits for a number.
DigitsOrText = Annotated[str, BeforeValidator(_digits_or_text)]
Platform = Annotated[
    Literal["pi", "local"],
    one_of(("pi", "local"), "Write pi for Raspberry Pis, local for this machine alone."),
]
Arch = Annotated[
    Literal["arm64", "amd64"],
    one_of(("arm64", "amd64"), "Write arm64 for Raspberry Pis with a 64-bit system."),
]
Role = Annotated[
    Literal["server", "agent"],
    one_of(("server", "agent"), "Write server for the Pi that runs Kubernetes itself, agent for the others."),
]
HostName = Annotated[str, pattern(LABEL, _LABEL_RULE, "Give the Pi's own hostname, as in pi1.")]
Namespace = Annotated[str, text(_namespace)]
Address = Annotated[str, text(parse_address)]
JumpHost = Annotated[str, text(parse_jump_host)]
HostKey = Annotated[str, text(parse_host_key)]
User = Annotated[
    str,
    pattern(
        _USER,
        "is not the name of a Linux user",
        "Give the user you log in as (`whoami` prints it on the Pi).",
    ),
]
SudoPassword = Annotated[Secret, BeforeValidator(parse_sudo_password)]
K3sVersion = Annotated[str, text(_k3s_version)]
RayVersion = Annotated[str, BeforeValidator(_ray_version)]
Sha256 = Annotated[
    str,
    pattern(
        _SHA256,
        "must be a SHA-256 sum: 64 hexadecimal digits with small letters",
        "Take what `sha256sum install.sh` prints, or delete the line to get the sum of the pinned script.",
    ),
]
Mirror = Annotated[str, text(_mirror)]
Image = Annotated[str, text(check_image)]
Requirement = Annotated[
    str,
    pattern(
        _REQUIREMENT,
        "must be a package with a fixed version",
        f"Write it as in numba=={NUMBA}, so that every run has the same one.",
    ),
]
Requirements = Annotated[tuple[Requirement, ...], BeforeValidator(as_list)]
Port = Annotated[int, whole_number(1, 65535, "SSH listens on 22 unless you changed it.")]
HostMemory = Annotated[
    int,
    whole_number(MIN_HOST_MEMORY_MIB, MAX_HOST_MEMORY_MIB, "Give MiB: a Pi with 4 GB has 4096.", mib=True),
]
HostCpus = Annotated[
    int, whole_number(1, 1024, "Give the number that `nproc` prints on the Pi: most have 4.")
]
HeadMemory = Annotated[
    int,
    whole_number(
        MIN_HEAD_MEMORY_MIB,
        MAX_HOST_MEMORY_MIB,
        "With less than 1 GiB the head is killed while it starts.",
        mib=True,
    ),
]
WorkerMemory = Annotated[
    int,
    whole_number(
        MIN_WORKER_MEMORY_MIB,
        MAX_HOST_MEMORY_MIB,
        "Ray's own processes take about 500 MiB, and one with numba up to 300 MiB more.",
        mib=True,
    ),
]
Cpus = Annotated[int, whole_number(1, 1024, "A Pi has 4 CPUs; leave one to the system.")]
Workers = Annotated[int, whole_number(0, MAX_INT32, "Give the number of workers, 0 for a head alone.")]
Completions = Annotated[
    int, whole_number(1, MAX_COMPLETIONS, "Give the number of pods the π Job has to complete.")
]
Parallelism = Annotated[
    int, whole_number(1, MAX_COMPLETIONS, "Give the number of pods that may run at the same time.")
]
Samples = Annotated[int, whole_number(1, MAX_SAMPLES, "Give the samples of each completion, as in 10000000.")]
Seed = Annotated[
    int, whole_number(0, MAX_EXACT_INT, "Give a smaller seed: beyond 2^53 numbers are rounded on their way.")
]
