"""Where the user's machine keeps what is slow to get or to make."""

import os
from collections.abc import Mapping
from pathlib import Path


def cache_directory(env: Mapping[str, str] = os.environ) -> Path:
    """Return $PIRAY_CACHE, else $XDG_CACHE_HOME/piray, else ~/.cache/piray."""
    base = env.get("PIRAY_CACHE") or Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "piray"
    return Path(base)
