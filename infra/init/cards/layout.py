"""Which files go where on the cards of a stack, all decided before the first one is written."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from infra.config.problems import InvalidValueError
from infra.config.values.ssh_keys import parse_private_key
from infra.init.cards.cloud_init import USER_DATA, Card, card_files
from infra.init.cards.kernel_options import COMMAND_LINE_FILES, with_options
from infra.init.cards.questions import CardAnswers
from infra.init.dialogue.files import read_bytes, write_whole
from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import InitError
from infra.init.network.host_keys import HostKeyPair, public_half

BACKUP_SUFFIX = ".before-piray"
# Where desktops and people mount cards, on Linux and macOS. A folder that this program made there would be
# on this machine's own disk, in place of a card that is not mounted.
MEDIA = (Path("/media"), Path("/run/media"), Path("/Volumes"), Path("/mnt"))


@dataclass(frozen=True)
class CardFolder:
    """Where the files of one card go.

    Attributes:
        hostname: Of the Pi.
        path: Of the folder.
        command_line: The kernel's command line file, where the folder is a boot partition.
    """

    hostname: str
    path: Path
    command_line: Path | None


@dataclass(frozen=True)
class Change:
    """A file that is going to be written.

    Attributes:
        path: Of the file.
        content: All of it.
        old: What it holds now; None if it is not there.
        on_card: Whether it lies on a card; what was there before is then kept beside it.
    """

    path: Path
    content: bytes
    old: bytes | None
    on_card: bool


def check_place(directory: Path) -> None:
    """Check that a directory for cards is there, or may be made.

    Raises:
        InvalidValueError: If it looks like a card that is not mounted, or like a slip.
    """
    whole = directory.absolute().resolve()
    if whole.is_dir():
        return
    media = next((root for root in MEDIA if root.resolve() in whole.parents), None)
    if media is not None:
        raise InvalidValueError(
            f"does not exist, and below {media} it must be a card that is mounted",
            f"Mount the card and look for its name (`lsblk -o NAME,LABEL,MOUNTPOINTS`, `ls {whole.parent}`), "
            "or name a directory outside it.",
        )
    if not whole.parent.is_dir():
        raise InvalidValueError(
            f"cannot be made, because {whole.parent} does not exist either",
            "Mount the card if it is one, or make the directory first: "
            f"mkdir -p {shlex.quote(str(directory))}",
        )


def find_folders(directory: Path, hostnames: Sequence[str], problems: list[str]) -> list[CardFolder]:
    """Return where the card of each host is.

    A directory with a kernel command line is a boot partition: the directory itself, for one host, or the
    folder in it that has the host's name.

    Args:
        directory: Of the cards, or the one card.
        hostnames: Of the Pis.
        problems: Gets it if one card is meant for several hosts; the result is then empty.
    """
    own = _command_line(directory)
    if own is None:
        folders = [(name, directory / name) for name in hostnames]
        return [CardFolder(name, folder, _command_line(folder)) for name, folder in folders]
    if len(hostnames) != 1:
        problems.append(
            f"--cards {directory} is the boot partition of one card, and there are {len(hostnames)} Pis.\n"
            f"    Say whose card it is: --card {' or --card '.join(hostnames)}"
        )
        return []
    return [CardFolder(hostnames[0], directory, own)]


def _command_line(folder: Path) -> Path | None:
    return next((folder / name for name in COMMAND_LINE_FILES if (folder / name).is_file()), None)


def known_host_key(folder: CardFolder, pinned: str | None) -> HostKeyPair | None:
    """Return the key pair that the folder holds already, if it is the one that the stack file pins."""
    content = read_bytes(folder.path / USER_DATA)
    try:
        data = yaml.safe_load(content or b"")
        private = parse_private_key(data["ssh_keys"]["ed25519_private"])
        public = public_half(private.reveal())
    except (yaml.YAMLError, InvalidValueError, TypeError, KeyError, AttributeError):
        return None
    return HostKeyPair(private, public) if public == pinned else None


def plan_changes(pairs: Iterable[tuple[CardFolder, Card]]) -> list[Change]:
    """Return the files that differ from what is there.

    Raises:
        InitError: If a kernel command line cannot be added to; for all cards.
    """
    changes, problems = [], []
    for folder, card in pairs:
        on_card = folder.command_line is not None
        for name, text in card_files(card).items():
            path = folder.path / name
            changes.append(Change(path, text.encode(), read_bytes(path), on_card))
        if folder.command_line is not None:
            old = read_bytes(folder.command_line) or b""
            try:
                changes.append(Change(folder.command_line, with_options(old), old, on_card))
            except InvalidValueError as error:
                problems.append(f"  {folder.command_line} {error.rule}.\n    {error.remedy}")
    if problems:
        raise InitError("nothing was written:\n" + "\n".join(problems))
    return [change for change in changes if change.content != change.old]


def cards_of(
    folders: Sequence[CardFolder],
    addresses: Sequence[str],
    pairs: Sequence[HostKeyPair | None],
    users: Sequence[str],
    asked: CardAnswers,
) -> list[Card]:
    """Return the card of each folder, from what each has of its own and from what all have in common."""
    return [
        Card(folder.hostname, user, asked.public_keys, asked.password_hash, asked.networks[address], pair)
        for folder, address, pair, user in zip(folders, addresses, pairs, users, strict=True)
    ]


def may_replace(questions: Questions, changes: Sequence[Change], *, told: bool) -> None:
    """Ask whether files of an earlier run may be replaced; on a card they are kept, so that nobody is asked.

    Args:
        questions: How it is asked.
        changes: What is going to be written.
        told: Whether the user has said that they may.

    Raises:
        InitError: If they may not.
    """
    others = [str(change.path) for change in changes if change.old is not None and not change.on_card]
    if told or not others:
        return
    listed = "\n".join(f"  {path}" for path in others)
    if not questions.interactive:
        raise InitError(
            f"these files are there already, with other contents:\n{listed}\n"
            "    Replace them by --replace-cards, or name another directory."
        )
    questions.tell(f"These files are there already, with other contents:\n{listed}")
    if not questions.confirm("Replace them?"):
        raise InitError("nothing was written.\n    Name another directory.")


def write_changes(changes: Sequence[Change]) -> None:
    """Write the files; on a card, what was there before this program's first change is kept beside it.

    Raises:
        InitError: If one cannot be written. Each file is then the old or the new one; a second run goes on.
    """
    for change in changes:
        try:
            # It may hold a private host key.
            change.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InitError(
                f"{change.path.parent} cannot be made ({error.strerror}).\n    Give another directory."
            ) from None
        backup = change.path.with_name(change.path.name + BACKUP_SUFFIX)
        if change.on_card and change.old is not None and not backup.exists():
            write_whole(backup, change.old, 0o600)
        write_whole(change.path, change.content, 0o600)
