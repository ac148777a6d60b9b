"""What a command line may say; every question that is asked has its option here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class Options:
    """The options as given; None or empty where nothing was said.

    Attributes:
        name: Of the stack.
        host: NAME=ADDRESS, or NAME alone.
        discover: Whether to look for Pis on the network.
        server: Names of the hosts that run Kubernetes itself.
        user: Who logs in on the Pis.
        key_file: File of the private key.
        agent: Whether the keys of the SSH agent are used.
        port: Of the SSH servers.
        workers: Number of Ray workers.
        arch: Processor of the Pis.
        sudo_password: "ask" or "none".
        accept_host_key: Fingerprints that the user has compared.
        trust_scanned_keys: Whether host keys are taken as they come.
        cards: Where to write the files for cards.
        card: Names of the hosts whose cards are written; empty for all.
        host_keys: "generate" or "scan".
        network: "fixed" or "dhcp".
        prefix: Length of the network's prefix.
        gateway: Address of the router.
        dns: Addresses of name servers.
        public_key: Files of public keys that may log in.
        password_hash: Of the password that sudo asks for.
        replace_stack: Whether a stack file that exists may be replaced.
        replace_cards: Whether card files that exist may be replaced.
        doctor: Whether the Pis are looked at in the end.
        yes: Whether defaults are taken and nothing is asked.
    """

    name: str
    host: tuple[str, ...] = ()
    discover: bool = False
    server: tuple[str, ...] = ()
    user: str | None = None
    key_file: str | None = None
    agent: bool = False
    port: str | None = None
    workers: str | None = None
    arch: str | None = None
    sudo_password: str | None = None
    accept_host_key: tuple[str, ...] = ()
    trust_scanned_keys: bool = False
    cards: Path | None = None
    card: tuple[str, ...] = ()
    host_keys: str | None = None
    network: str | None = None
    prefix: str | None = None
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    public_key: tuple[str, ...] = ()
    password_hash: str | None = None
    replace_stack: bool = False
    replace_cards: bool = False
    doctor: bool = True
    yes: bool = False

    @property
    def generates(self) -> bool:
        """Whether host keys are made for the cards, so that nobody has to compare any."""
        return self.cards is not None and self.host_keys != "scan"

    @property
    def sudo_wanted(self) -> str | None:
        """Whether sudo is to ask: as said, or as the hash of a password says it."""
        return self.sudo_password or ("ask" if self.password_hash is not None else None)


# First those of the stack file, then those of cards. A value is text here and is checked by the rules of the
# stack file, so that all mistakes are told at once.
_DECLARATIONS = (
    click.option(
        "--host",
        multiple=True,
        metavar="NAME=ADDRESS",
        help="A Pi. Repeat it. NAME alone: NAME.local is looked up.",
    ),
    click.option(
        "--discover", is_flag=True, help="Look for Pis on your network by mDNS (needs avahi-browse)."
    ),
    click.option(
        "--server",
        multiple=True,
        metavar="NAME",
        help="A Pi that runs Kubernetes itself.  [default: the first]",
    ),
    click.option("--user", help="The user that your key logs in as on every Pi."),
    click.option("--key-file", metavar="FILE", help="File of your private SSH key, without a passphrase."),
    click.option("--agent", is_flag=True, help="Use the keys of your SSH agent.  [default]"),
    click.option("--port", help="Port of the SSH servers.  [default: 22]"),
    click.option("--workers", metavar="N", help="Number of Ray workers.  [default: one for each agent]"),
    click.option("--arch", metavar="arm64|amd64", help="Processor of the Pis.  [default: arm64]"),
    click.option(
        "--sudo-password", metavar="ask|none", help="Whether sudo asks for a password.  [default: none]"
    ),
    click.option(
        "--accept-host-key",
        multiple=True,
        metavar="SHA256:…",
        help="A fingerprint that you have compared with the Pi's own. Repeat it.",
    ),
    click.option(
        "--trust-scanned-keys",
        is_flag=True,
        help="Take the host keys as they come, on a network that you trust.",
    ),
    click.option(
        "--cards",
        metavar="DIR",
        type=click.Path(path_type=Path),
        help="Write the files that prepare the Pis' cards, also for a stack that exists.",
    ),
    click.option(
        "--card",
        multiple=True,
        metavar="NAME",
        help="With --cards: only the card of this Pi. Repeat it.  [default: all]",
    ),
    click.option(
        "--host-keys",
        metavar="generate|scan",
        help="With --cards: make host keys for the cards, or let each Pi make its own.  [default: generate]",
    ),
    click.option(
        "--network", metavar="fixed|dhcp", help="With --cards: how a Pi gets its address.  [default: fixed]"
    ),
    click.option(
        "--prefix",
        metavar="N",
        help="With --network fixed: length of the network's prefix.  [default: 24]",
    ),
    click.option("--gateway", metavar="ADDRESS", help="With --network fixed: address of your router."),
    click.option(
        "--dns",
        multiple=True,
        metavar="ADDRESS",
        help="With --network fixed: a name server. Repeat it.  [default: the router]",
    ),
    click.option(
        "--public-key",
        multiple=True,
        metavar="FILE",
        help="With --cards: a public key that may log in. Repeat it.  [default: that of your private key]",
    ),
    click.option(
        "--password-hash",
        metavar="HASH",
        help="With --cards and --sudo-password ask: what `openssl passwd -6` prints for the password.",
    ),
    click.option(
        "--replace-stack",
        is_flag=True,
        help="Replace a stack file that exists. The old one is kept beside it (.bak, .bak.2, …).",
    ),
    click.option("--replace-cards", is_flag=True, help="Replace card files that exist."),
    click.option("--doctor/--no-doctor", default=True, help="Look at the Pis in the end.  [default: do]"),
    click.option(
        "--yes", is_flag=True, help="Ask nothing: take the defaults, and name all answers that are missing."
    ),
)


def init_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the name of the stack and all options; the command gets them by their names in `Options`."""
    for declaration in reversed((click.argument("name"), *_DECLARATIONS)):
        command = declaration(command)
    return command
