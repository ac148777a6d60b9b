"""What only shows when the facts of several hosts lie side by side, or beside the stack's config. Pure."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from infra.config.model import HostConfig
from infra.config.problems import ConfigError
from infra.doctor.finding import Finding, error, warning
from infra.doctor.stack import Stack
from infra.doctor.visit import Visit
from infra.hosts.prepared import PreparedHost, TakenNames

# Seconds. Beyond the second one certificates of one host may not be valid yet on another.
_SKEW_SHOWN_S = 30
_SKEW_MAX_S = 300
_CLOCK_REMEDY = (
    "give all of them a time server (sudo timedatectl set-ntp true), or set the clock: "
    "sudo date --utc --set='YYYY-MM-DD HH:MM:SS'"
)


def compare_hosts(hosts: Sequence[HostConfig], visits: Sequence[Visit]) -> dict[str, list[Finding]]:
    """Return what is found by comparing hosts, by name of a host.

    Args:
        hosts: All hosts of the config, in their order.
        visits: A visit to each of them.
    """
    seen = [visit for visit in visits if visit.facts]
    findings: dict[str, list[Finding]] = {host.name: [] for host in hosts}
    _compare_names(hosts, seen, findings)
    _compare_dbus_ids(seen, findings)
    _compare_clocks(seen, findings)
    return findings


def _compare_names(
    hosts: Sequence[HostConfig], seen: Sequence[Visit], findings: Mapping[str, list[Finding]]
) -> None:
    taken = TakenNames(hosts)
    boots: dict[str, str] = {}
    for visit in seen:
        prepared = PreparedHost(
            name=visit.host.name,
            address=str(visit.host.address),
            hostname=visit.facts["hostname"] or "",
            # An empty id is told by the host's own checks.
            machine_id=visit.facts["machineId"] or f"none of {visit.host.name}",
            boot_id=visit.facts["bootId"],
            rebooting=False,
        )
        conflict, found = taken.take(prepared), findings[visit.host.name]
        twin = boots.setdefault(prepared.boot_id, prepared.label)
        if twin != prepared.label:
            what = f"it is the same machine as {twin}"
            found.append(
                error("address", what, "every entry of piray:hosts is another Pi", "correct one address")
            )
            continue
        if conflict.hostname:
            what = f"the hostname {conflict.hostname} is already taken by {conflict.hostname_owner}"
            remedy = f"run: sudo hostnamectl set-hostname {visit.host.name}"
            found.append(error("hostname", what, "every host needs a name of its own", remedy))
        if conflict.machine_id:
            what = f"/etc/machine-id is the same as that of {conflict.machine_owner}"
            remedy = (
                "run: sudo rm -f /etc/machine-id /var/lib/dbus/machine-id && sudo systemd-machine-id-setup"
            )
            found.append(error("machine-id", what, "its card is a copy", remedy))


def _compare_dbus_ids(seen: Sequence[Visit], findings: Mapping[str, list[Finding]]) -> None:
    count = Counter(visit.facts.get("dbusMachineId") for visit in seen)
    for visit in seen:
        own = visit.facts.get("dbusMachineId")
        if own and count[own] > 1 and own != visit.facts["machineId"]:
            findings[visit.host.name].append(
                warning(
                    "machine-id",
                    "/var/lib/dbus/machine-id still holds the id of the card it was copied from",
                    "systemd-machine-id-setup would take that one again",
                    "run: sudo ln -sf /etc/machine-id /var/lib/dbus/machine-id",
                )
            )


def _compare_clocks(seen: Sequence[Visit], findings: Mapping[str, list[Finding]]) -> None:
    server = next((visit for visit in seen if visit.host.role == "server"), None)
    for visit in seen:
        if any(finding.id == "clock" for finding in visit.findings):
            continue
        skews = [("this machine", certain_skew(*skew_of(visit)))]
        if server is not None and server is not visit:
            low, high = skew_of(visit)
            server_low, server_high = skew_of(server)
            skews.append(
                (f"the server {server.host.name}", certain_skew(low - server_high, high - server_low))
            )
        for other, skew in skews:
            if abs(skew) > _SKEW_SHOWN_S:
                make = error if abs(skew) > _SKEW_MAX_S else warning
                what = (
                    f"its clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} that of {other}"
                )
                rule = f"certificates go by the clock: it may differ by {_SKEW_MAX_S} s, and should by none"
                findings[visit.host.name].append(make("clock", what, rule, _CLOCK_REMEDY))


def skew_of(visit: Visit) -> tuple[float, float]:
    """Return the least and the most that a host's clock is ahead of this machine's, in seconds.

    When in the visit the host looked at its clock is not known: after it began, and so long before it ended
    that the checks had time.
    """
    begin, end = visit.facts["clockBegin"], visit.facts["clockEnd"]
    latest = visit.ended - max(0.0, end - begin)
    return begin - max(latest, visit.began), begin - visit.began


def certain_skew(low: float, high: float) -> float:
    """Return the part of a skew between two bounds that is certain: 0 where they have different signs."""
    return low if low > 0 else high if high < 0 else 0.0


def check_room(stack: Stack, visits: Sequence[Visit]) -> list[Finding]:
    """Return what breaks the rules of the config once the memory and the cores of the hosts are known.

    Args:
        stack: The stack.
        visits: A visit to each host, in the order of the config.
    """
    values: dict[str, Any] = deepcopy(dict(stack.values))
    if isinstance(values.get("hosts"), str):
        values["hosts"] = json.loads(values["hosts"])
    for entry, visit in zip(values["hosts"], visits, strict=True):
        if visit.facts:
            entry.setdefault("memoryMib", visit.facts["memoryMib"])
            entry.setdefault("cpus", visit.facts["cores"])
    try:
        stack.parse(values)
    except ConfigError as problems:
        return [
            error(
                "room",
                f"{problem.path}{problem.value and f' = {problem.value}'} {problem.rule}",
                "",
                problem.remedy,
            )
            for problem in problems.problems
        ]
    return []
