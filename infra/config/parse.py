"""The configuration of a stack, from text to typed objects, with every mistake told at once; no Pulumi here.

Its shape is in `infra/config/model.py`, the types of single values in `infra/config/values/fields.py`,
the rules between values in `infra/config/rules.py`. Components get the typed objects and never read a key
themselves.
"""

from collections.abc import Callable, Mapping
from typing import Any

from infra.config.image_rules import PASSWORD as REGISTRY_PASSWORD
from infra.config.image_rules import check_image_rules
from infra.config.model import (
    HostConfig,
    K3sConfig,
    PiJobConfig,
    ProxyConfig,
    SshConfig,
    StackConfig,
    StackKeys,
)
from infra.config.problems import HIDDEN, InvalidValueError, ProblemList
from infra.config.ray import RayConfig, worker_groups
from infra.config.ray_image import ImageSource, holds_all, official_image, source_of
from infra.config.reader import decode, read_section
from infra.config.rules import check_rules
from infra.config.values.ssh_keys import Secret, parse_private_key, read_key_file
from infra.config.values.sudo_password import KEY as SUDO_PASSWORD
from infra.config.values.sudo_password import check_stored_encrypted, parse_sudo_password
from infra.image_inputs import built_image
from infra.versions import OFFICIAL_IMAGE_LACKS

_PRIVATE_KEY = "sshPrivateKey"


def parse(
    values: Mapping[str, object],
    read_file: Callable[[str], str] = read_key_file,
    secret_keys: frozenset[str] = frozenset({_PRIVATE_KEY, SUDO_PASSWORD, REGISTRY_PASSWORD}),
) -> StackConfig:
    """Turn the raw configuration into a typed one.

    Args:
        values: Un-namespaced key → text as Pulumi hands it over (objects as JSON), or a decoded value.
        read_file: Returns the text of the private key's file; raises InvalidValueError.
        secret_keys: Keys that are stored encrypted; their values are never shown.

    Raises:
        ConfigError: With every problem there is.
    """
    tree, secrets = _read(values, read_file, secret_keys)
    hosts = [HostConfig(**host) for host in tree.pop("hosts")]
    proxy = ProxyConfig(**tree["ssh"]["proxy"]) if tree["ssh"]["proxy"] else None
    ssh = SshConfig(user=tree["ssh"]["user"], port=tree["ssh"]["port"], proxy=proxy, **secrets)
    ray = RayConfig(**_ray_defaults(tree))
    rest = {name: tree[name] for name in ("platform", "arch", "namespace", "insecure_host_keys")}
    return StackConfig(
        **rest,
        workers=ray.workers,
        hosts=tuple(hosts),
        ssh=ssh,
        ray=ray,
        k3s=K3sConfig(**tree["k3s"]),
        pi_job=PiJobConfig(**tree["pi_job"]),
    )


def check(values: Mapping[str, object], read_file: Callable[[str], str] = read_key_file) -> None:
    """Check a configuration as a stack file holds it, with ENCRYPTED in place of what cannot be read.

    Args:
        values: Un-namespaced key → value.
        read_file: As for `parse`.

    Raises:
        ConfigError: With every problem there is.
    """
    _read(values, read_file, frozenset())


def _read(
    values: Mapping[str, object], read_file: Callable[[str], str], secret_keys: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Secret | None]]:
    """Return the fields, and the secrets of the SSH login."""
    problems = ProblemList(secret_keys)
    raw = decode(StackKeys, values)
    tree = read_section(StackKeys, raw, (), problems)
    secrets = {
        "private_key": _read_private_key(tree, secret_keys, read_file, problems),
        "sudo_password": _read_sudo_password(tree, problems),
    }
    check_stored_encrypted(tree, secret_keys, problems)
    check_rules(tree, raw, problems)
    check_image_rules(tree, secret_keys, problems)
    problems.raise_if_any()
    return tree, secrets


def _read_sudo_password(tree: Mapping[str, Any], problems: ProblemList) -> Secret | None:
    text: str = tree.get("sudo_password", "")
    if not text or tree.get("platform") == "local":
        return None
    try:
        return parse_sudo_password(text)
    except InvalidValueError as error:
        problems.add((SUDO_PASSWORD,), HIDDEN, error.rule, error.remedy)
        return None


def _read_private_key(
    tree: Mapping[str, Any],
    secret_keys: frozenset[str],
    read_file: Callable[[str], str],
    problems: ProblemList,
) -> Secret | None:
    """Return the private key from wherever it is given; None where it is not, or has a problem."""
    text: str = tree.get("ssh_private_key", "")
    file: str | None = tree.get("ssh", {}).get("private_key_file")
    if text and _PRIVATE_KEY not in secret_keys:
        problems.add(
            (_PRIVATE_KEY,),
            HIDDEN,
            "is stored as plain text, which everyone who sees the stack file can read",
            "Remove it (`pulumi config rm piray:sshPrivateKey --stack STACK`), make a new key pair, and "
            "store that with `pulumi config set --secret piray:sshPrivateKey --stack STACK < FILE`.",
        )
    if text and file is not None:
        problems.add(
            ("ssh", "privateKeyFile"), file, "is given beside piray:sshPrivateKey", "Delete one of the two."
        )
    if tree.get("platform") == "local" or not (text or file is not None):
        return None
    path: tuple[str, ...] = (_PRIVATE_KEY,)
    shown: object = HIDDEN
    try:
        if text:
            return parse_private_key(text)
        path, shown = ("ssh", "privateKeyFile"), file
        return parse_private_key(read_file(file or ""))
    except InvalidValueError as error:
        problems.add(path, shown, error.rule, error.remedy)
        return None


def _ray_defaults(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of RayConfig, with the image and the packages that depend on other keys."""
    ray = dict(tree["ray"])
    image = ray["image"]
    kind = source_of(image)
    assert kind is not None, "no mistake hides it here"
    if kind == "build":
        default = built_image(ray["version"], tree["arch"], image["builder"])
    else:
        default = official_image(ray["version"], tree["arch"])
    ray["image"] = image["reference"] or default
    ray["image_source"] = ImageSource(
        kind=kind,
        password=Secret(tree["registry_password"]) if image["user"] else None,
        **{key: image[key] for key in ("file", "builder", "plain_http", "ca_certificate", "user")},
    )
    if ray["runtime_packages"] is None:
        # On platform local the jobs run in this project's own environment, which lacks nothing.
        complete = holds_all(ray["image"]) or tree["platform"] == "local"
        ray["runtime_packages"] = () if complete else OFFICIAL_IMAGE_LACKS
    ray["groups"] = worker_groups(ray, tree["workers"])
    return ray
