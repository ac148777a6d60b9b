"""Decides whether this machine has a browser for the user, and opens it."""

import os
import sys
import webbrowser
from collections.abc import Mapping


def has_display(environment: Mapping[str, str] = os.environ, system: str = sys.platform) -> bool:
    """Say whether a browser has where to appear; else Python would start a text browser in the terminal.

    Args:
        environment: Variables of the environment; BROWSER says that the user chose one.
        system: `sys.platform`.
    """
    chosen = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    return not system.startswith("linux") or any(environment.get(name) for name in chosen)


def open_browser(link: str) -> bool:
    """Open a link in the user's browser, and say whether one was found."""
    try:
        return has_display() and webbrowser.open(link)
    except webbrowser.Error:
        return False
