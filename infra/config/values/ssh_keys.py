"""SSH keys as text: what a usable host key line and a usable private key are, and a wrapper for secrets.

`cryptography` reads the keys. It is imported where one is read: on platform local there is none.
"""

import stat
from pathlib import Path
from typing import Any

from infra.config.problems import InvalidValueError

HOST_KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")

# A private key of any kind is far smaller; a device or a disk image named by mistake must not be read in.
_MAX_KEY_FILE_BYTES = 64 * 1024

SSH_PORT = 22


def scan_remedy(address: str = "ADDRESS", port: int | None = None) -> str:
    """Return how a host key is got and compared, without a full stop.

    Args:
        address: Where it is asked for.
        port: Port of the SSH server; None for the usual one.
    """
    option = "" if port in (None, SSH_PORT) else f"-p {port} "
    return (
        f"Take the line that `ssh-keyscan {option}-t ed25519 {address}` prints, after comparing it with "
        "/etc/ssh/ssh_host_ed25519_key.pub on that machine itself"
    )


_HOST_KEY_REMEDY = scan_remedy() + "."
_AGENT_REMEDY = "or leave it out and load the key into your SSH agent (`ssh-add FILE`)."
_SET_REMEDY = (
    "Store the key itself with `pulumi config set --secret piray:sshPrivateKey --stack STACK < FILE`"
)


class Secret:
    """Text that is never shown: its repr, str and format say nothing of the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for whoever hands it to Pulumi as a secret."""
        return self._value

    def __repr__(self) -> str:
        return "Secret([secret])"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


def parse_host_key(text: str) -> str:
    """Return the host key as `<type> <base64>`, without the hostname of ssh-keyscan and without a comment.

    Raises:
        InvalidValueError: If it is no usable host key; an RSA key is refused, too.
    """
    if len(text.strip().splitlines()) != 1:
        raise InvalidValueError("must be exactly one line", _HOST_KEY_REMEDY)
    words = text.split()
    if words[0].startswith("@"):
        raise InvalidValueError("is a marker line of a known_hosts file, not a host key", _HOST_KEY_REMEDY)
    if len(words) > 1 and not _is_key_type(words[0]) and _is_key_type(words[1]):
        words = words[1:]
    key_type = words[0]
    if key_type == "ssh-rsa":
        raise InvalidValueError(
            "is an RSA host key: Pulumi's SSH client would ask for its old SHA-1 signature, "
            "which OpenSSH 8.8 and newer refuse",
            _HOST_KEY_REMEDY,
        )
    if key_type not in HOST_KEY_TYPES or len(words) == 1:
        raise InvalidValueError(
            f"must be `TYPE BASE64` with TYPE one of {', '.join(HOST_KEY_TYPES)}", _HOST_KEY_REMEDY
        )
    line = f"{key_type} {words[1]}"
    if not _is_public_key(line):
        raise InvalidValueError(
            f"is not a whole {key_type} key: part of it is missing or changed", _HOST_KEY_REMEDY
        )
    return line


def _is_key_type(word: str) -> bool:
    return word.startswith(("ssh-", "ecdsa-", "sk-"))


def _is_public_key(line: str) -> bool:
    """Whether `<type> <base64>` is exactly one public key, spelt as OpenSSH spells it."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        key = serialization.load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm, NotImplementedError):  # the last one for a compressed point
        return False
    # The reader skips what is no base64; Pulumi's SSH client does not.
    spelt = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return spelt == line.encode()


def parse_private_key(text: str) -> Secret:
    """Return a private key that can be used without a passphrase, with the line ends that SSH expects.

    Raises:
        InvalidValueError: If it is no private key, or needs a passphrase; tells nothing of the key.
    """
    lines = text.strip().splitlines()
    first = lines[0].strip() if lines else ""
    if _is_key_type(first) or "PUBLIC KEY" in first:
        raise InvalidValueError(
            "is a public key, not a private one",
            f"{_SET_REMEDY} (FILE without .pub at its end), {_AGENT_REMEDY}",
        )
    if first.startswith("PuTTY-User-Key-File"):
        raise InvalidValueError(
            "is in PuTTY's own format",
            "Convert it: `puttygen KEY.ppk -O private-openssh -o FILE`, and use FILE.",
        )
    begins = first.startswith("-----BEGIN ") and first.endswith("PRIVATE KEY-----")
    if not begins or lines[-1].strip() != first.replace("BEGIN", "END"):
        raise InvalidValueError(
            "is not a whole private key (from a BEGIN … PRIVATE KEY line to its END line)",
            f"{_SET_REMEDY}, {_AGENT_REMEDY}",
        )
    clean = "".join(f"{line.strip()}\n" for line in lines)
    _check_private_key(clean)
    return Secret(clean)


def _check_private_key(text: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    openssh = text.startswith("-----BEGIN OPENSSH ")
    read = serialization.load_ssh_private_key if openssh else serialization.load_pem_private_key
    try:
        key = read(text.encode(), password=None)
    except TypeError:  # the reader's way to ask for a passphrase
        raise _passphrase() from None
    except (UnsupportedAlgorithm, NotImplementedError):
        raise InvalidValueError(
            "is a private key of a kind that only OpenSSH itself can use",
            f"Make one of another kind (`ssh-keygen -t ed25519 -f FILE`), {_AGENT_REMEDY}",
        ) from None
    except ValueError:
        raise InvalidValueError("is a damaged private key", f"{_SET_REMEDY}, {_AGENT_REMEDY}") from None
    try:
        public: Any = key.public_key()
        public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    except (ValueError, UnsupportedAlgorithm):  # TLS and other programs have more kinds than SSH
        raise InvalidValueError(
            "is a private key of a kind that SSH does not know",
            f"Make one that it knows (`ssh-keygen -t ed25519 -f FILE`), {_AGENT_REMEDY}",
        ) from None


def _passphrase() -> InvalidValueError:
    return InvalidValueError(
        "is a private key with a passphrase, which nobody could type in while Pulumi runs",
        f"{_SET_REMEDY} (FILE is a copy without the passphrase: `ssh-keygen -p -N '' -f FILE`), "
        f"{_AGENT_REMEDY}",
    )


_FILE_REMEDY = f"Give the path of the private key's file, as in ~/.ssh/id_ed25519, {_AGENT_REMEDY}"


def read_key_file(path: str, remedy: str = _FILE_REMEDY) -> str:
    """Return the text of a key file; `~` is the user's home.

    Args:
        path: Of the file.
        remedy: What to do where it cannot be read.

    Raises:
        InvalidValueError: If there is no such file, or it cannot be read as text.
    """
    try:
        file = Path(path).expanduser()
        status = file.stat()
        usable = stat.S_ISREG(status.st_mode) and status.st_size <= _MAX_KEY_FILE_BYTES
        text = file.read_text(encoding="utf-8", errors="replace") if usable else ""
    except FileNotFoundError:
        raise InvalidValueError("does not exist", remedy) from None
    except OSError as error:
        raise InvalidValueError(f"cannot be read ({error.strerror})", remedy) from None
    except (ValueError, RuntimeError):
        # A zero byte in the path, or `~name` with no such user.
        raise InvalidValueError("is not a path on this machine", remedy) from None
    if not usable:
        raise InvalidValueError("is not a key file", remedy)
    return text
