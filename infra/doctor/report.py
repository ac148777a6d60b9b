"""What the doctor says: tables for people, JSON for programs. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from infra.doctor.finding import Finding, Severity, worst_first
from infra.doctor.visit import Visit

JSON_VERSION = 1
_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}
_THE_STACK = "(stack)"


@dataclass(frozen=True, kw_only=True)
class Report:
    """All findings of one stack.

    Attributes:
        stack: Name of the stack.
        visits: The visit to each host.
        by_host: By name of a host, everything that was found about it.
        of_stack: What was found about the stack as a whole.
    """

    stack: str
    visits: Sequence[Visit]
    by_host: Mapping[str, Sequence[Finding]]
    of_stack: Sequence[Finding]

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each severity."""
        found = Counter(finding.severity for finding in self.of_stack)
        for findings in self.by_host.values():
            found.update(finding.severity for finding in findings)
        return {str(severity): found[severity] for severity in Severity}


def as_json(report: Report) -> dict[str, Any]:
    """Return the report with keys that stay."""
    return {
        "version": JSON_VERSION,
        "stack": report.stack,
        "counts": report.counts(),
        "hosts": [
            {
                "name": visit.host.name,
                "address": str(visit.host.address),
                "role": visit.host.role,
                "facts": dict(visit.facts) or None,
                "findings": [asdict(finding) for finding in worst_first(report.by_host[visit.host.name])],
            }
            for visit in report.visits
        ],
        "findings": [asdict(finding) for finding in worst_first(report.of_stack)],
    }


def as_tables(report: Report) -> RenderableType:
    """Return the report for a terminal."""
    parts: list[RenderableType] = [_machines(report)]
    if any(report.counts().values()):
        parts.append(_findings(report))
    return Group(*parts, _closing(report))


def _machines(report: Report) -> Table:
    table = Table(title=f"Hosts of stack {escape(report.stack)}", title_justify="left")
    for column in ("Host", "Address", "Machine", "Cores", "MiB", "System", "Card"):
        table.add_column(column, overflow="fold")
    for visit in report.visits:
        facts = visit.facts
        texts = [
            facts.get("model") or "not seen",
            facts.get("cores", ""),
            facts.get("memoryMib", ""),
            facts.get("system") or "",
            facts.get("writeSpeed") or "",
        ]
        table.add_row(visit.host.name, str(visit.host.address), *(escape(str(text)) for text in texts))
    return table


def _findings(report: Report) -> Table:
    """Build the table: the worst first, the same finding of several hosts once."""
    hosts: dict[Finding, list[str]] = {}
    for finding in report.of_stack:
        hosts.setdefault(finding, []).append(_THE_STACK)
    for name, findings in report.by_host.items():
        for finding in findings:
            hosts.setdefault(finding, []).append(name)
    table = Table(show_lines=True)
    table.add_column("Host", overflow="fold")
    table.add_column("", no_wrap=True)
    table.add_column("What", overflow="fold", ratio=1)
    table.add_column("What to do", overflow="fold", ratio=1)
    for finding in worst_first(hosts):
        colour = _COLOURS[finding.severity]
        what = f"{finding.what}: {finding.rule}" if finding.rule else finding.what
        table.add_row(
            ", ".join(hosts[finding]),
            f"[{colour}]{finding.severity}[/{colour}]",
            escape(what),
            escape(finding.remedy),
        )
    return table


def _closing(report: Report) -> str:
    counts = report.counts()
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    said = f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}."
    end = (
        "`make up` would refuse, or could not work."
        if errors
        else "Nothing here keeps `make up` from working."
    )
    return f"{said} {end}"
