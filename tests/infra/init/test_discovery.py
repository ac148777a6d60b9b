"""Machines that announce themselves, as avahi-browse tells of them; the network itself is not here."""

import os
from pathlib import Path

import pytest

from infra.init.dialogue.values import InitError
from infra.init.network.discovery import Found, discover, lookup

# As `avahi-browse --parsable --resolve` prints it: found (+), then resolved (=).
TOLD = r"""+;eth0;IPv4;pi2\032\091dc\058a6\093;_workstation._tcp;local
=;eth0;IPv4;pi2\032\091dc\058a6\093;_workstation._tcp;local;pi2.local;192.0.2.12;9;
=;eth0;IPv6;pi2\032\091dc\058a6\093;_workstation._tcp;local;pi2.local;2001:db8::12;9;
=;eth0;IPv6;pi1;_workstation._tcp;local;pi1.local;fe80::1;22;
=;eth0;IPv6;pi1;_workstation._tcp;local;pi1.local;2001:db8::11;22;
=;eth0;IPv4;pi1;_workstation._tcp;local;pi1.local;169.254.7.7;22;
=;eth0;IPv4;pi1;_workstation._tcp;local;pi1.local;192.0.2.11;22;
=;eth0;IPv6;pi6;_workstation._tcp;local;pi6.local;2001:db8::16;22;
=;eth0;IPv4;a;b;_workstation._tcp;local;evil;$(reboot).local;192.0.2.66;22;
broken
"""


def avahi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "avahi-browse"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_each_machine_is_there_once_with_an_address_that_a_stack_can_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "told").write_text(TOLD)
    avahi(tmp_path, monkeypatch, f'case "$*" in *_workstation*) cat "{tmp_path}/told" ;; esac')
    assert discover() == [Found("pi1", "192.0.2.11"), Found("pi2", "192.0.2.12")]


def test_without_avahi_it_is_said_what_to_install_and_what_goes_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InitError, match=r"(?s)avahi-utils.*--host NAME=ADDRESS"):
        discover()


def test_avahis_own_reason_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    avahi(tmp_path, monkeypatch, "echo 'Failed to create client object: Daemon not running' >&2; exit 1")
    with pytest.raises(InitError, match="Daemon not running"):
        discover()


def test_a_name_that_nobody_has_is_not_found() -> None:
    assert lookup("a-name-that-nobody-has") is None
    assert lookup("x" * 300) is None
