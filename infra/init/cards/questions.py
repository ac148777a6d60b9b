"""What a card says beside the stack file: who may log in, sudo, and the address of the Pi."""

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.config.problems import InvalidValueError
from infra.config.values.ssh_keys import Secret, parse_private_key, read_key_file
from infra.init.cards.cloud_init import FixedAddress
from infra.init.cards.network import ask_networks
from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions
from infra.init.network.host_keys import public_half

# crypt(5): SHA-256, SHA-512, yescrypt.
_HASH = re.compile(r"\$(5|6|y)\$[!-9;-~]{20,}")
_PUBLIC_KEY = re.compile(r"(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/]{40,}=*( .*)?")


@dataclass(frozen=True)
class CardAnswers:
    """What all cards of a stack have in common.

    Attributes:
        public_keys: Lines of authorized_keys.
        password_hash: Of the password that sudo asks for; None for sudo without one.
        networks: Address of a host → how it gets that address; None for DHCP.
    """

    public_keys: tuple[str, ...]
    password_hash: Secret | None
    networks: dict[str, FixedAddress | None]


def ask_cards(
    questions: Questions,
    options: Options,
    addresses: Sequence[str],
    key_file: str | None,
    *,
    key_known: bool = True,
    sudo_asks: bool,
) -> CardAnswers:
    """Return the answers that cards need beside the stack file; what is missing is among the problems.

    Args:
        questions: How they are asked.
        options: What was said beforehand.
        addresses: Of the hosts.
        key_file: File of the private key that logs in; None for the SSH agent.
        key_known: Whether it is known which of the two it is.
        sudo_asks: Whether sudo is to ask for a password.
    """
    keys = _public_keys(questions, options, key_file) if key_known or options.public_key else ()
    password = None
    if sudo_asks or options.password_hash is not None:
        password = questions.ask(
            "Hash of the password for sudo, as `openssl passwd -6` prints it",
            _check_hash,
            option="--password-hash",
            given=options.password_hash,
            secret=True,
        )
    return CardAnswers(keys, password, ask_networks(questions, options, addresses))


def _check_hash(text: str) -> Secret:
    if not _HASH.fullmatch(text):
        raise InvalidValueError(
            "is not the hash of a password ($5$…, $6$… or $y$…)", "Take what `openssl passwd -6` prints."
        )
    return Secret(text)


def _public_keys(questions: Questions, options: Options, key_file: str | None) -> tuple[str, ...]:
    """Return the public keys from files, else that of the private key, else those of the SSH agent."""
    if options.public_key:
        found = []
        for file in options.public_key:
            try:
                found += _read_public(file)
                questions.said += ["--public-key", file]
            except InvalidValueError as error:
                questions.problems.append(f"--public-key {file} {error.rule}.\n    {error.remedy}")
        return tuple(found)
    if key_file is not None:
        try:
            private = parse_private_key(read_key_file(key_file))
        except InvalidValueError as error:
            questions.problems.append(f"the key file {key_file} {error.rule}.\n    {error.remedy}")
            return ()
        return (public_half(private.reveal()),)
    keys = _agent_keys()
    if not keys:
        questions.problems.append(
            "--public-key is missing: your SSH agent has no key, and without one nobody could log in.\n"
            "    Give the file, as in --public-key ~/.ssh/id_ed25519.pub, or load a key (`ssh-add`)."
        )
    return keys


def _read_public(file: str) -> list[str]:
    text = read_key_file(file, "Give the file of a public key, as in ~/.ssh/id_ed25519.pub.")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if any("PRIVATE KEY" in line for line in lines):
        raise InvalidValueError(
            "is a private key, which must not lie on a card", f"Give {Path(file).name}.pub."
        )
    if not lines or not all(_PUBLIC_KEY.fullmatch(line) for line in lines):
        raise InvalidValueError(
            "holds no public key", "Give a file such as ~/.ssh/id_ed25519.pub, one key on each line."
        )
    return lines


def _agent_keys() -> tuple[str, ...]:
    try:
        answer = subprocess.run(
            ["ssh-add", "-L"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        ).stdout
    except FileNotFoundError:
        return ()
    return tuple(line for line in answer.splitlines() if _PUBLIC_KEY.fullmatch(line))
