"""What is wrong with a stack's configuration, and how it is told: path, value, rule and remedy, all at once.

Knows nothing of what the rules are. Never shows what could be a private key.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.names import PROJECT

MAX_SHOWN_CHARACTERS = 80

# Where a path leads to nothing, the problem has this value.
ABSENT = object()
# The value is not for the screen: it is, or may be, a secret.
HIDDEN = object()
# Never shown, wherever it stands and whether or not it is encrypted.
_SECRET_NAMES = frozenset({"sudoPassword", "sshPrivateKey", "registryPassword"})


class InvalidValueError(ValueError):
    """One value breaks one rule; raised by the checks of single values, which do not know the path.

    Attributes:
        rule: What the value is or is not, as the end of a sentence that begins with its path.
        remedy: What the user should do, as a sentence.
    """

    def __init__(self, rule: str, remedy: str) -> None:
        super().__init__(f"{rule}: {remedy}")
        self.rule = rule
        self.remedy = remedy


@dataclass(frozen=True)
class Problem:
    """One thing to put right in the configuration.

    Attributes:
        path: Key as `pulumi config set --path` takes it, for example `piray:hosts[2].address`.
        value: The value as shown to the user; empty if there is none or it must not be shown.
        rule: What is wrong, as the end of a sentence.
        remedy: What to do, as a sentence.
    """

    path: str
    value: str
    rule: str
    remedy: str

    def __str__(self) -> str:
        given = f" = {self.value}" if self.value else ""
        return f"{self.path}{given}\n    {self.rule}.\n    {self.remedy}"


class ConfigError(ValueError):
    """The configuration cannot be used; the text lists every problem found.

    Attributes:
        problems: Every problem, in the order of the keys.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        listed = "\n\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{count} in the stack's configuration; nothing has been changed.\n\n{listed}\n")


class ProblemList:
    """Collects problems while the configuration is read."""

    def __init__(self, secret_keys: frozenset[str]) -> None:
        """Start an empty list.

        Args:
            secret_keys: Top-level keys whose values must never be shown.
        """
        self.problems: list[Problem] = []
        self._secret_keys = secret_keys

    def add(self, path: Sequence[str | int], value: object, rule: str, remedy: str) -> None:
        """Add one problem.

        Args:
            path: Keys and list indices from the top-level key down.
            value: The offending value as read, ABSENT or HIDDEN.
            rule: What is wrong, as the end of a sentence.
            remedy: What to do, as a sentence.
        """
        shown = "[secret]" if self._is_secret(path) and value is not ABSENT else show_value(value)
        self.problems.append(Problem(path=show_path(path), value=shown, rule=rule, remedy=remedy))

    def _is_secret(self, path: Sequence[str | int]) -> bool:
        """Say whether a value may not be shown.

        One encrypted password makes the whole list of hosts a secret one for Pulumi; what else is in an entry
        may be told, for a message without its value would be of little use.
        """
        if not _SECRET_NAMES.isdisjoint(path):
            return True
        in_entry = path[0] == "hosts" and len(path) > 2  # noqa: PLR2004 — key, index, field
        return path[0] in self._secret_keys and not in_entry

    def raise_if_any(self) -> None:
        """Raise ConfigError with every problem that was added, if there is one."""
        if self.problems:
            raise ConfigError(self.problems) from None


def show_path(path: Sequence[str | int]) -> str:
    """Return the path as `pulumi config set --path` takes it.

    >>> show_path(["hosts", 2, "address"])
    'piray:hosts[2].address'
    """
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]+", step, re.ASCII):
            text += f".{step}"
        else:
            text += f"[{_quote(step)}]"
    return f"{PROJECT}:{text.removeprefix('.')}"


def show_value(value: object) -> str:
    """Return a short one-line form of a value, as YAML would have it; never that of a private key.

    >>> show_value("pi 1"), show_value(True), show_value(None)
    ('"pi 1"', 'true', 'null')
    """
    if value is ABSENT:
        return ""
    if value is HIDDEN or (isinstance(value, str) and _may_be_private_key(value)):
        return "[not shown]"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, Mapping | list | tuple):
        left, right = "{}" if isinstance(value, Mapping) else "[]"
        return f"{left}…{right}" if value else left + right
    return _plain(value)


def _plain(value: object) -> str:
    try:
        return _shorten(json.dumps(value, default=str))
    except ValueError:  # Python refuses to print whole numbers of several thousand digits
        return "[a very long number]"


def _may_be_private_key(text: str) -> bool:
    return "PRIVATE KEY" in text or "PuTTY-User-Key" in text or "b3BlbnNzaC1rZXkt" in text


def _quote(text: str) -> str:
    quoted = json.dumps(_shorten(text), ensure_ascii=False)
    # Half a surrogate pair, which JSON can hold, cannot be printed.
    return quoted.encode("utf-8", "backslashreplace").decode("utf-8")


def _shorten(text: str) -> str:
    if len(text) <= MAX_SHOWN_CHARACTERS:
        return text
    return text[: MAX_SHOWN_CHARACTERS - 1] + "…"
