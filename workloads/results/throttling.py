"""Decides what to say of Raspberry Pis that were slowed down: their times are not to be trusted.

Source of the flags: https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

UNDER_VOLTAGE, FREQUENCY_CAPPED = "under-voltage", "frequency capped"
THROTTLED, TEMPERATURE_LIMIT = "throttled", "temperature limit"
# By bit: 0 to 3 for this moment, 16 to 19 for any since the Pi was started.
_EVENTS = (UNDER_VOLTAGE, FREQUENCY_CAPPED, THROTTLED, TEMPERATURE_LIMIT)
_SINCE_BOOT = 16
# As a stack's outputs spell them.
_BY_NAME = {event.replace(" ", "-"): event for event in _EVENTS}
_POWER, _COOLING = "a better power supply and cable", "better cooling"
_REMEDIES = {UNDER_VOLTAGE: _POWER, TEMPERATURE_LIMIT: _COOLING}


@dataclass(frozen=True)
class Flags:
    """What a Pi says of itself at one moment.

    Attributes:
        now: What slows it down at this moment.
        since_boot: What did at any moment since it was started; the Pi keeps these until it is restarted.
    """

    now: frozenset[str]
    since_boot: frozenset[str]


def warnings(facts: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence or two for each machine that was slowed down.

    Args:
        facts: Of each machine: `throttled` and, if it was asked again, `throttled_after` (hex text as
            vcgencmd says it, a list of what happened since the Pi was started, or None), `name` (none for
            the machine that ran the command) and `temperature_after_c`.
    """
    return [text for machine in facts if (text := _warning(machine)) is not None]


def _warning(machine: Mapping[str, Any]) -> str | None:
    said = [machine.get(key) for key in ("throttled", "throttled_after")]
    looks = [text for text in said if isinstance(text, str)]
    # A list is what the stack knew when it was made, perhaps weeks before the run.
    then = _when(*map(_flags, said), both_by_the_run=len(looks) == len(said))
    if not then:
        return None
    name = machine.get("name") or "This machine"
    raw = " and then ".join(looks)
    what = "; ".join(f"{_listed(events)} {moment}" for moment, events in then.items())
    events = frozenset[str]().union(*then.values())
    remedies = sorted({_REMEDIES[one] for one in events if one in _REMEDIES} or {_POWER, _COOLING})
    return (
        f"Warning: {name} reports throttling{f' ({raw})' if raw else ''}: {what}.{_temperature(machine)} "
        f"Do not trust its times: give it {' and '.join(remedies)}, restart it and run again."
    )


def _when(before: Flags | None, after: Flags | None, *, both_by_the_run: bool) -> dict[str, frozenset[str]]:
    """Return what happened, by when it did; moments at which nothing happened are left out."""
    nothing: frozenset[str] = frozenset()
    old = nothing if before is None else before.now | before.since_boot
    new = nothing if after is None else after.now | after.since_boot
    # What slows the Pi down at the end did so during the run, whenever it began.
    during = nothing if after is None else after.now
    if both_by_the_run:
        during |= new - old
        moments = {"during this run": during, "before this run, and perhaps again": old - during}
    else:
        moments = {"during this run": during, "before or during this run": (old | new) - during}
    return {moment: events for moment, events in moments.items() if events}


def _flags(said: object) -> Flags | None:
    """Read what a Pi said; None if it said nothing."""
    if said is None:
        return None
    if isinstance(said, str):
        bits = int(said, 16)
        now, since_boot = (
            frozenset(event for bit, event in enumerate(_EVENTS, first) if bits >> bit & 1)
            for first in (0, _SINCE_BOOT)
        )
        return Flags(now, since_boot)
    assert isinstance(said, list | tuple)
    return Flags(frozenset(), frozenset(_BY_NAME.get(name, name) for name in map(str, said)))


def _listed(events: Iterable[str]) -> str:
    return ", ".join(sorted(events, key=lambda event: _EVENTS.index(event) if event in _EVENTS else -1))


def _temperature(machine: Mapping[str, Any]) -> str:
    celsius = machine.get("temperature_after_c")
    return "" if celsius is None else f" It had {celsius:.0f} degrees Celsius at the end."
