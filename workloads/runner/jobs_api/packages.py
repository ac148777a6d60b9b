"""What a job installs when it starts, and where from: the internet, or a mirror that has the wheels."""

import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_S = 5
# Ray's own: https://docs.ray.io/en/latest/ray-core/api/doc/ray.runtime_env.RuntimeEnv.html
_OPTIONS = ("--disable-pip-version-check", "--no-cache-dir")


def pip_of(packages: Sequence[str], wheels_url: str | None) -> dict[str, Any]:
    """Return the field `pip` of a job's runtime environment.

    Args:
        packages: Requirements.
        wheels_url: A listing of their wheels, and of all that they need; None for the index that the image's
            pip knows.
    """
    if wheels_url is None:
        return {"packages": list(packages)}
    # Without an index: where there is no internet, pip would ask for it again and again before it goes on.
    options = [*_OPTIONS, "--no-index", f"--find-links={wheels_url}"]
    parts = urlsplit(wheels_url)
    if parts.scheme == "http":
        options.append(f"--trusted-host={parts.netloc}")
    return {"packages": list(packages), "pip_install_options": options}


def has_wheels(url: str) -> bool:
    """Say whether a mirror lists wheels; a mirror of k3s alone has none."""
    # What is in the LAN is not behind a proxy.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_TIMEOUT_S) as answer:
            return b".whl" in answer.read()
    except (OSError, ValueError):
        return False
