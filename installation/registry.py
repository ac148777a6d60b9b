"""What is configured for pip, said to uv, which does not read it: a mirror, certificates, a proxy."""

import ast
from typing import Dict, Mapping

# uv's names: https://docs.astral.sh/uv/reference/environment/
_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}


def settings(listed: str) -> Dict[str, str]:
    """Read what `pip config list` prints into the settings that `pip install` obeys.

    A setting of the environment beats one of `[install]`, which beats one of `[global]`.
    """
    found = {}  # type: Dict[str, Dict[str, str]]
    for line in listed.splitlines():
        key, equals, value = line.partition("=")
        section, dot, name = key.strip().rpartition(".")
        if not (equals and dot):
            continue
        try:
            text = str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            continue
        found.setdefault(section, {})[name.replace("_", "-")] = text
    merged = {}  # type: Dict[str, str]
    for section in ("global", "install", ":env:"):
        merged.update(found.get(section, {}))
    return merged


def environment(listed: str, given: Mapping[str, str]) -> Dict[str, str]:
    """Return the variables that make uv ask where pip would ask.

    Args:
        listed: what `pip config list` prints.
        given: the environment; what it says to uv itself is left.
    """
    found = {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    bundle = given.get("REQUESTS_CA_BUNDLE") or given.get("CURL_CA_BUNDLE")
    if bundle and "SSL_CERT_FILE" not in given:
        found["SSL_CERT_FILE"] = bundle
    pip = settings(listed)
    for name, variable in _VARIABLES.items():
        if pip.get(name):
            separator = "," if name == "find-links" else " "
            found[variable] = separator.join(pip[name].split())
    if "UV_INDEX" in found:
        # As pip does. The hashes in the lock files keep an index from slipping in a package of its own.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if pip.get("proxy"):
        found.update({"HTTPS_PROXY": pip["proxy"], "HTTP_PROXY": pip["proxy"]})
    return {
        name: value
        for name, value in found.items()
        if not (name.startswith("UV_") and name in given) or name == "SSL_CERT_FILE"
    }
