"""Hosts: whose name is taken, and what is declared for each of them."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi.runtime import MockResourceArgs

from infra.hosts.check_list import HostNeeds
from infra.hosts.prepared import Conflict, PreparedHost, TakenNames
from sandbox.engine.program.answers import command_answer
from sandbox.engine.stack.files import stack_config
from sandbox.engine.wire.marks import SECRET, SIGNATURE, UNKNOWN
from tests.infra.declared import commands, declare, make_config, pi_hosts, variables
from tests.program import reveal, run_program

CONFIG = make_config(servers=1, agents=2)


def prepared(number: int, hostname: str, machine_id: str | None = None) -> PreparedHost:
    return PreparedHost(
        name=f"pi{number}",
        address=f"198.51.100.{number}",
        hostname=hostname,
        machine_id=machine_id or f"id-{number}",
        boot_id=f"boot-{number}",
        rebooting=False,
    )


def conflicts(*hosts: PreparedHost) -> list[Conflict]:
    taken = TakenNames(CONFIG.hosts)
    return [taken.take(host) for host in hosts]


def test_hosts_with_names_of_their_own_have_no_conflict() -> None:
    assert conflicts(prepared(1, "pi1"), prepared(2, "kitchen"), prepared(3, "pi3")) == [Conflict()] * 3


def test_of_two_hosts_with_one_name_the_earlier_keeps_it() -> None:
    first, second, third = conflicts(
        prepared(1, "raspberrypi"), prepared(2, "RaspberryPi"), prepared(3, "pi3")
    )
    assert first == third == Conflict()
    assert second == Conflict(hostname="RaspberryPi", hostname_owner="pi1 (198.51.100.1)")


def test_a_name_that_the_config_gives_to_another_host_is_taken() -> None:
    first, second, _ = conflicts(prepared(1, "pi2"), prepared(2, "kitchen"), prepared(3, "pi3"))
    assert first == Conflict(hostname="pi2", hostname_owner="pi2 (198.51.100.2)")
    assert second == Conflict()


def test_all_of_many_conflicts_are_found() -> None:
    names = conflicts(*[prepared(number, "raspberrypi", "cloned") for number in (1, 2, 3)])
    assert [found.hostname_owner for found in names] == ["", "pi1 (198.51.100.1)", "pi1 (198.51.100.1)"]
    assert [found.machine_owner for found in names] == ["", "pi1 (198.51.100.1)", "pi1 (198.51.100.1)"]


def test_each_host_is_prepared_and_then_verified() -> None:
    program = declare(lambda: pi_hosts(CONFIG))
    names = {command.name for command in commands(program)}
    assert names == {f"{host.name}-{step}" for host in CONFIG.hosts for step in ("prepare", "verify")}
    for host in CONFIG.hosts:
        prepare, verify = program.named(f"{host.name}-prepare"), program.named(f"{host.name}-verify")
        assert program.comes_after(verify, prepare)
        assert prepare.parent == verify.parent == program.named("hosts").urn
        assert "delete" in prepare.inputs
        assert prepare.request.deleteBeforeReplace
        assert reveal(verify.inputs["connection"])["dialErrorLimit"] > 100


def test_the_verification_knows_the_boot_before_the_reboot() -> None:
    program = declare(lambda: pi_hosts(CONFIG))
    assert variables(program.named("pi2-verify"))["REBOOTED_FROM"] == "boot-pi2"


def test_a_host_that_was_not_rebooted_may_be_in_any_boot() -> None:
    def answer(args: MockResourceArgs) -> Mapping[str, Any]:
        found = dict(command_answer(args))
        if args.name.endswith("-prepare"):
            found["stdout"] = json.dumps({**json.loads(found["stdout"]), "rebooting": False})
        return found

    program = declare(lambda: pi_hosts(CONFIG), answer=answer)
    assert variables(program.named("pi2-verify"))["REBOOTED_FROM"] == ""


def test_the_host_is_told_who_has_its_name() -> None:
    def answer(args: MockResourceArgs) -> Mapping[str, Any]:
        found = dict(command_answer(args))
        if args.name.endswith("-prepare"):
            found["stdout"] = json.dumps({**json.loads(found["stdout"]), "hostname": "raspberrypi"})
        return found

    program = declare(lambda: pi_hosts(CONFIG), answer=answer)
    told = [variables(program.named(f"pi{number}-verify")) for number in (1, 2, 3)]
    assert [each["TAKEN_HOSTNAME"] for each in told] == ["", "raspberrypi", "raspberrypi"]
    assert told[2]["HOSTNAME_OWNER"] == "pi1 (198.51.100.1)"


def test_a_host_added_at_the_end_changes_nothing_for_the_others() -> None:
    before = declare(lambda: pi_hosts(make_config(agents=2)))
    after = declare(lambda: pi_hosts(make_config(agents=3)))
    for command in commands(before):
        assert reveal(command.inputs) == reveal(after.named(command.name).inputs)


def test_the_preview_of_a_host_at_the_end_knows_all_about_the_others() -> None:
    before = declare(lambda: pi_hosts(make_config(agents=2)))
    new = declare(
        lambda: pi_hosts(make_config(agents=3)),
        preview=True,
        answer=lambda args: {} if args.name.startswith("pi4-") else command_answer(args),
    )
    for command in commands(before):
        assert reveal(command.inputs) == reveal(new.named(command.name).inputs)
    assert new.named("pi4-verify").inputs["stdin"] == UNKNOWN


def test_a_host_is_verified_after_the_preparation_of_those_before_it_and_depends_on_none_of_them() -> None:
    program = declare(lambda: pi_hosts(CONFIG))
    order = [resource.name for resource in program.resources]
    assert order.index("pi3-verify") > max(order.index(f"pi{number}-prepare") for number in (1, 2, 3))
    assert program.named("pi3-verify").dependencies == {program.named("pi3-prepare").urn}


WARNING = {"severity": "warning", "id": "swap", "what": "swap is on", "rule": "times vary", "remedy": "off"}


def told(monkeypatch: pytest.MonkeyPatch, **said: object) -> list[str]:
    """Return what the user is warned of when every host answers this besides."""
    warnings: list[str] = []
    monkeypatch.setattr(pulumi, "warn", lambda text, _: warnings.append(text))

    def answer(args: MockResourceArgs) -> Mapping[str, Any]:
        found = dict(command_answer(args))
        if args.name.endswith("-prepare"):
            found["stdout"] = json.dumps({**json.loads(found["stdout"]), **said})
        return found

    declare(lambda: pi_hosts(CONFIG), answer=answer)
    return sorted(warnings)


def test_what_the_checks_warn_of_is_told_once_of_each_host_that_was_checked_in_this_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = told(monkeypatch, checked=time.time() + 5, warnings=[WARNING])
    assert said == [f"{host.name} ({host.address}): swap is on; times vary; off" for host in CONFIG.hosts]


def test_the_warnings_of_an_earlier_run_are_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, checked=time.time() - 600, warnings=[WARNING]) == []


def test_a_host_that_an_older_piray_has_prepared_has_no_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch) == []


def test_every_host_but_the_first_server_is_compared_with_its_clock() -> None:
    needs = HostNeeds(arch="arm64", server="198.51.100.1")
    assert [needs.variables(host)["SERVER"] for host in CONFIG.hosts[:3]] == ["", *["198.51.100.1"] * 2]


FACTS = {
    "arch": "aarch64",
    "kernel": "6.12.47+rpt-rpi-2712",
    "model": "Raspberry Pi 5 Model B Rev 1.0",
    "cores": 4,
    "memoryMib": 8063,
    "cgroupVersion": 2,
    "throttled": ["under-voltage"],
}


@pytest.mark.parametrize("secret", [False, True], ids=["in clear", "as a provider may mark what it prints"])
def test_the_facts_of_a_host_are_an_output_in_clear(secret: bool) -> None:
    def answer(args: MockResourceArgs) -> Mapping[str, Any]:
        found = dict(command_answer(args))
        if args.name.endswith("-verify"):
            text = json.dumps({**FACTS, "model": args.name})
            found["stdout"] = {SIGNATURE: SECRET, "value": text} if secret else text
        return found

    outputs = run_program(stack_config("dev"), stack="dev", preview=False, answer=answer).outputs
    assert outputs["hosts"] == {
        f"pi{number}": {**FACTS, "model": f"pi{number}-verify"} for number in (1, 2, 3, 4)
    }


def test_a_preview_needs_no_facts() -> None:
    outputs = run_program(stack_config("dev"), stack="dev", preview=True).outputs
    assert outputs["hosts"] == dict.fromkeys(("pi1", "pi2", "pi3", "pi4"), UNKNOWN)


@pytest.mark.parametrize("step", ["prepare", "verify"])
def test_a_preview_needs_no_answer(step: str) -> None:
    program = declare(lambda: pi_hosts(CONFIG), preview=True)
    stdin = program.named(f"pi1-{step}").inputs["stdin"]
    assert (stdin == UNKNOWN) == (step == "verify")
