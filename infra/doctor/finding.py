"""What the doctor finds: severity, what, rule, remedy. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    ERROR = "error"
    """`up` refuses, or cannot work."""
    WARNING = "warning"
    """`up` works; something will be slow, or fail on another day."""
    INFO = "info"
    """Good to know; nothing to do."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: How bad it is.
        id: Short name of the check, for programs.
        what: What is there.
        rule: What should be, or what follows.
        remedy: What to do; empty where nothing is to be done.
    """

    severity: Severity
    id: str
    what: str
    rule: str = ""
    remedy: str = ""


def error(id_: str, what: str, rule: str, remedy: str) -> Finding:
    """Return a finding with which `up` cannot work."""
    return Finding(severity=Severity.ERROR, id=id_, what=what, rule=rule, remedy=remedy)


def warning(id_: str, what: str, rule: str, remedy: str) -> Finding:
    """Return a finding with which `up` works."""
    return Finding(severity=Severity.WARNING, id=id_, what=what, rule=rule, remedy=remedy)


def info(id_: str, what: str, rule: str = "") -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(severity=Severity.INFO, id=id_, what=what, rule=rule)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings by severity; those of one severity in the order given."""
    order = list(Severity)
    return sorted(findings, key=lambda finding: order.index(finding.severity))
