"""Whether the stack's k3s is the newest of its channel, where the list of channels can be reached."""

import json
import re
import urllib.error
import urllib.request

from infra.doctor.finding import Finding, info, warning

CHANNELS_URL = "https://update.k3s.io/v1-release/channels"
_TIMEOUT_S = 5
_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)\+k3s(\d+)")


def newest_by_channel(url: str = CHANNELS_URL) -> dict[str, str]:
    """Return the newest release of each channel; nothing where the list cannot be had."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 — a constant https address
            channels = json.loads(answer.read())["data"]
        return {channel["id"]: channel["latest"] for channel in channels if channel.get("latest")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def check_version(version: str, newest: dict[str, str]) -> list[Finding]:
    """Return what is to be said about a version.

    Args:
        version: Release tag of the stack.
        newest: By channel ("stable", "v1.36", …), its newest release.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        return []
    channel = f"v{match[1]}.{match[2]}"
    latest = newest.get(channel, "")
    stable = newest.get("stable", "")
    if _number(latest) > _number(version):
        return [
            warning(
                "k3s-version",
                f"k3s {version} is not the newest of its channel {channel}: that is {latest}",
                "newer releases mend faults and close holes",
                f"set piray:k3s.version to {latest} and run make up",
            )
        ]
    if _number(stable) > _number(version):
        return [info("k3s-version", f"k3s {version}; the stable channel is at {stable}")]
    return []


def _number(version: str) -> tuple[int, ...]:
    match = _VERSION.fullmatch(version)
    return tuple(map(int, match.groups())) if match else ()
