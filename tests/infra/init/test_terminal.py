"""`piray init` as somebody at a terminal meets it."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pexpect
import yaml

from infra.config.stack_file import check_stack_file
from tests.infra.init.conftest import Project
from tests.infra.init.network import LATE, NOBODY, PI1, PI2, Network

# On a machine on which others work as well.
TIMEOUT_S = 60


def heed_interrupts() -> None:
    """A shell's background job, as CI may be, ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def terminal(project: Project, *arguments: str) -> Iterator["pexpect.spawn[str]"]:
    """Run `piray init home` on a terminal of its own."""
    program, *rest = project.argv("home", *arguments)
    child = pexpect.spawn(
        program,
        rest,
        cwd=str(project.folder),
        env=project.env,
        encoding="utf-8",
        timeout=TIMEOUT_S,
        dimensions=(50, 200),
        preexec_fn=heed_interrupts,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def answer(child: "pexpect.spawn[str]", *steps: tuple[str, str]) -> None:
    """Wait for each question, and answer it."""
    for question, text in steps:
        child.expect_exact(question)
        child.sendline(text)


def answer_unseen(child: "pexpect.spawn[str]", question: str, text: str) -> None:
    """Answer a question whose answer is not shown: what is typed before the terminal is ready gets lost."""
    child.expect_exact(question)
    child.waitnoecho()
    child.sendline(text)


def ended(child: "pexpect.spawn[str]") -> tuple[int | None, str]:
    """Return the exit status, and what was said since the last question."""
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus, child.before or ""


def interrupted(child: "pexpect.spawn[str]") -> tuple[int | None, str]:
    """Press Ctrl-C until it is heeded: Python loses one that comes just before it waits for a key."""
    child.sendintr()
    while child.expect([pexpect.EOF, pexpect.TIMEOUT], timeout=TIMEOUT_S / 4) != 0:
        child.sendintr()
    said = child.before or ""
    child.wait()
    return child.exitstatus, said


def test_the_questions_from_the_first_to_the_file_and_a_mistake_costs_only_its_own_question(
    home: Project, pis: Network
) -> None:
    with terminal(home) as child:
        answer(
            child,
            ("Hostname of a Pi:", "Pi One"),
            ("must be a name", ""),
            ("Hostname of a Pi:", "pi1"),
            ("Address of pi1:", "192.0.2.300"),
            ("is not an IP address", PI1),
            ("Hostname of another Pi", "pi1"),
            ("is also the name of hosts[0]", "pi2"),
            ("Address of pi2:", PI1),
            ("is also the address of hosts[0]", PI2),
            ("Hostname of another Pi", ""),
            ("Which Pi runs Kubernetes itself", "pi7"),
            ("is none of pi1, pi2", "pi1 pi2"),
            ("has 2 servers", "pi2"),
            ("User that your key logs in as", "root user"),
            ("is not the name of a Linux user", "anna"),
            ("File of your private SSH key", "ssh/key.pub"),
            ("is a public key, not a private one", "ssh/key"),
            ("Number of Ray workers", "many"),
            ("must be a whole number", ""),
            ("Does sudo ask that user for a password", "maybe"),
            ("must be one of ask, none", "n"),
        )
        for address in (PI1, PI2):
            child.expect_exact(pis.fingerprints[address])
        child.expect_exact("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
        answer(child, ("Are they the same", "perhaps"), ("must be one of all, each, no", "A"))
        status, said = ended(child)
    assert status == 0
    assert "Wrote Pulumi.home.yaml: 2 Pis, pi2 is the server." in said
    check_stack_file(home.stack())
    config = yaml.safe_load(home.stack().read_text())["config"]
    assert [(host["role"], host["hostKey"]) for host in config["piray:hosts"]] == [
        ("agent", pis.keys[PI1]),
        ("server", pis.keys[PI2]),
    ]
    assert config["piray:ssh"] == {"user": "anna", "privateKeyFile": str(home.folder / "ssh/key")}
    assert config["piray:workers"] == 1


def given(*hosts: str) -> list[str]:
    named = [word for host in hosts for word in ("--host", host)]
    return [*named, "--user", "anna", "--agent", "--sudo-password", "none", "--workers", "1"]


def test_keys_are_confirmed_one_by_one_and_a_wrong_one_ends_it_with_nothing_written(
    home: Project, pis: Network
) -> None:
    with terminal(home, *given(f"pi1={PI1}", f"pi2={PI2}"), "--server", "pi1") as child:
        answer(
            child,
            ("Are they the same", "each"),
            (f"pi1: {pis.fingerprints[PI1]}?", "y"),
            (f"pi2: {pis.fingerprints[PI2]}?", "n"),
        )
        status, said = ended(child)
    assert status == 2
    assert "the host key of pi2 is not confirmed" in said
    assert home.contents() == set()


def test_a_key_that_was_accepted_by_an_option_is_not_asked_for(home: Project, pis: Network) -> None:
    with terminal(home, *given(f"pi1={PI1}"), "--accept-host-key", pis.fingerprints[PI1]) as child:
        status, _ = ended(child)
    assert status == 0
    check_stack_file(home.stack())


def test_a_pi_that_comes_late_is_asked_again_and_nothing_else_is(home: Project, pis: Network) -> None:
    with terminal(home, *given(f"pi1={PI1}", f"pi4={LATE}"), "--server", "pi1") as child:
        child.expect_exact(f"pi4: no SSH server with a usable key answers at {LATE}, port 22")
        child.expect_exact("Try again?")
        with pis.server(LATE):
            child.sendline("y")
            child.expect_exact("Asking pi4 for the host key")
            child.expect_exact(pis.fingerprints[LATE])
        answer(child, ("Are they the same", "all"))
        status, _ = ended(child)
    assert status == 0
    hosts = yaml.safe_load(home.stack().read_text())["config"]["piray:hosts"]
    assert [host["hostKey"] for host in hosts] == [pis.keys[PI1], pis.keys[LATE]]


def test_a_pi_that_stays_away_ends_it_with_the_answers_to_go_on_from(home: Project) -> None:
    with terminal(home, *given(f"pi1={NOBODY}")) as child:
        answer(child, ("Try again?", "n"))
        status, said = ended(child)
    assert status == 2
    assert "a Pi that does not answer has no host key" in said
    assert f"piray init home --host pi1={NOBODY} --server pi1 --user anna --agent" in said
    assert home.contents() == set()


def test_ctrl_c_leaves_nothing_but_the_answers_to_go_on_from(home: Project, pis: Network) -> None:
    with terminal(home, "--host", f"pi1={PI1}") as child:
        answer(child, ("User that your key logs in as", "anna"))
        child.expect_exact("File of your private SSH key")
        status, said = interrupted(child)
    assert status == 130
    assert "stopped; nothing was written" in said
    assert f"piray init home --host pi1={PI1} --server pi1 --user anna" in said
    assert "Traceback" not in said
    assert home.contents() == set()

    command = f"piray init home --host pi1={PI1} --server pi1 --user anna".split()[3:]
    with terminal(home, *command, "--trust-scanned-keys") as child:
        answer(child, ("File of your private SSH key", ""), ("Number of Ray workers", ""))
        answer(child, ("Does sudo ask", ""))
        status, _ = ended(child)
    assert status == 0
    check_stack_file(home.stack())


def test_ctrl_c_while_a_silent_address_is_scanned_ends_it_at_once(home: Project) -> None:
    with terminal(home, *given(f"pi1={NOBODY}")) as child:
        child.expect_exact("Asking pi1 for the host key")
        status, said = interrupted(child)
    assert status == 130
    assert "Traceback" not in said
    assert home.contents() == set()


def test_a_terminal_that_is_closed_leaves_nothing(home: Project) -> None:
    with terminal(home, "--host", f"pi1={PI1}") as child:
        child.expect_exact("User that your key logs in as")
        child.sendeof()
        status, said = ended(child)
    assert status == 130
    assert "stopped; nothing was written" in said
    assert home.contents() == set()


def test_a_file_that_is_there_is_replaced_only_after_a_yes(home: Project) -> None:
    home.stack().write_text("mine")
    with terminal(home, *given(f"pi1={PI1}"), "--trust-scanned-keys") as child:
        answer(child, ("Replace it? The old one is kept as Pulumi.home.yaml.bak", "n"))
        status, said = ended(child)
    assert (status, home.stack().read_text()) == (2, "mine")
    assert "is left as it is" in said
    with terminal(home, *given(f"pi1={PI1}"), "--trust-scanned-keys") as child:
        answer(child, ("Replace it?", "y"))
        status, _ = ended(child)
    assert status == 0
    check_stack_file(home.stack())
    assert (home.folder / "Pulumi.home.yaml.bak").read_text() == "mine"


def test_with_yes_nothing_is_asked_on_a_terminal_either(home: Project) -> None:
    with terminal(home, "--host", f"pi1={PI1}", "--yes") as child:
        status, said = ended(child)
    assert status == 2
    assert "--user is missing" in said


def test_machines_that_announce_themselves_are_chosen_by_number(home: Project, pis: Network) -> None:
    folder = home.folder / "ssh"
    lines = [
        f"=;eth0;IPv4;{name};_ssh._tcp;local;{name}.local;{address};22;"
        for name, address in (("nas", NOBODY), ("pi1", PI1), ("pi2", PI2))
    ]
    (folder / "told").write_text("\n".join(lines))
    (folder / "avahi-browse").write_text(f'#!/bin/sh\ncase "$*" in *_ssh._tcp) cat "{folder}/told" ;; esac\n')
    (folder / "avahi-browse").chmod(0o755)
    home.env["PATH"] = f"{folder}{os.pathsep}{home.env['PATH']}"
    options = [
        "--user",
        "anna",
        "--agent",
        "--sudo-password",
        "none",
        "--workers",
        "1",
        "--trust-scanned-keys",
    ]
    with terminal(home, "--discover", *options) as child:
        child.expect_exact(f"2. pi1  {PI1}")
        answer(
            child,
            ("Which of them are your Pis", "1 2 9"),
            ("holds a number that is not in the list", "2,3"),
            ("Hostname of another Pi", ""),
            ("Which Pi runs Kubernetes itself", ""),
        )
        status, _ = ended(child)
    assert status == 0
    config = yaml.safe_load(home.stack().read_text())["config"]
    assert [host["name"] for host in config["piray:hosts"]] == ["pi1", "pi2"]


def test_a_copied_card_is_asked_again_once_it_has_a_key_of_its_own(home: Project, pis: Network) -> None:
    with ExitStack() as copied:
        # Before the program starts, so that it is there for the first scan.
        copied.enter_context(pis.server(LATE, clone_of=PI1))
        with terminal(home, *given(f"pi1={PI1}", f"pi4={LATE}"), "--server", "pi1") as child:
            child.expect_exact("show the same host key")
            child.expect_exact("Ask them again?")
            copied.close()
            with pis.server(LATE):
                child.sendline("y")
                child.expect_exact(pis.fingerprints[LATE])
                answer(child, ("Are they the same", "all"))
                status, _ = ended(child)
    assert status == 0
    hosts = yaml.safe_load(home.stack().read_text())["config"]["piray:hosts"]
    assert [host["hostKey"] for host in hosts] == [pis.keys[PI1], pis.keys[LATE]]
