"""The command to go on with: nothing that was said is lost, and nothing that was corrected comes back."""

from dataclasses import fields
from pathlib import Path

import click

from infra.init.dialogue.command import words_to_go_on
from infra.init.dialogue.options import Options, init_options

# Those that make no question possible, or whose value is not to be seen.
LEFT_OUT = {"yes", "password_hash"}


def read(words: list[str]) -> Options:
    """Return what the command makes of its words."""
    command = click.command()(init_options(Options))
    options = command.main(words[2:], standalone_mode=False)
    assert isinstance(options, Options)
    return options


EVERY = Options(
    name="home",
    host=("pi1=192.0.2.11", "pi2"),
    discover=True,
    server=("pi1",),
    user="anna",
    key_file="key",
    agent=True,
    port="23",
    workers="1",
    arch="amd64",
    sudo_password="ask",  # noqa: S106 — one of two words, no password
    accept_host_key=("SHA256:a", "SHA256:b"),
    trust_scanned_keys=True,
    cards=Path("cards"),
    card=("pi1", "pi2"),
    host_keys="scan",
    network="fixed",
    prefix="24",
    gateway="192.0.2.1",
    dns=("192.0.2.1", "192.0.2.2"),
    public_key=("a.pub",),
    replace_stack=True,
    replace_cards=True,
    doctor=False,
)


def test_every_option_that_was_given_is_in_the_command() -> None:
    defaults = Options("home")
    unset = {one.name for one in fields(EVERY) if getattr(EVERY, one.name) == getattr(defaults, one.name)}
    assert unset == {"name", *LEFT_OUT}
    assert read(words_to_go_on(EVERY, [])) == EVERY


def test_an_answer_takes_the_place_of_the_option_that_it_corrects() -> None:
    options = Options("home", host=("pi1", "pi2"), user="root user", key_file="none", workers="many")
    said = ["--host", "pi1=192.0.2.11", "--user", "anna", "--agent", "--workers", "1"]
    assert words_to_go_on(options, said) == ["piray", "init", "home", *said, "--host", "pi2"]


def test_the_hash_of_a_password_is_not_shown_and_is_asked_for_again() -> None:
    words = words_to_go_on(Options("home", password_hash="$6$secret"), [])  # noqa: S106 — no password
    assert words == ["piray", "init", "home", "--sudo-password", "ask"]
