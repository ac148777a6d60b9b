"""SSH keys as text: what a usable host key line and a usable private key are, and a wrapper for secrets.

Formats: RFC 4253 section 6.6 and RFC 5656 section 3.1 (public keys), OpenSSH's PROTOCOL.key (private keys).
"""

import base64
import binascii
import stat
import struct
from pathlib import Path

import pulumi

from infra.config.problems import InvalidValueError

# Type of a host key → size in bytes of what follows the name of the type (and of the curve).
_ED25519_BYTES = 32
_ECDSA_POINT_BYTES = {"nistp256": 65, "nistp384": 97, "nistp521": 133}
HOST_KEY_TYPES = ("ssh-ed25519", *(f"ecdsa-sha2-{curve}" for curve in _ECDSA_POINT_BYTES))
_UNCOMPRESSED_POINT = b"\x04"

_OPENSSH_MAGIC = b"openssh-key-v1\x00"
_PRIVATE_KEY_KINDS = ("OPENSSH", "RSA", "EC", "DSA", "")
# A private key of any kind is far smaller; a device or a disk image named by mistake must not be read in.
_MAX_KEY_FILE_BYTES = 64 * 1024

SCAN_REMEDY = (
    "Take the line that `ssh-keyscan -t ed25519 {address}` prints, after comparing it with "
    "/etc/ssh/ssh_host_ed25519_key.pub on the Pi itself"
)
_HOST_KEY_REMEDY = SCAN_REMEDY.format(address="ADDRESS") + "."
_AGENT_REMEDY = "or leave it out and load the key into your SSH agent (`ssh-add FILE`)."
_SET_REMEDY = "Store the key itself with `pulumi config set --secret piray:sshPrivateKey < FILE`"


class Secret:
    """Text that is never shown: its repr, str and format say nothing of the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @property
    def output(self) -> pulumi.Output[str]:
        """The value as a secret Output, the only way to use it."""
        return pulumi.Output.secret(self._value)

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
    if not _is_blob_of(key_type, words[1]):
        raise InvalidValueError(
            f"is not a whole {key_type} key: part of it is missing or changed", _HOST_KEY_REMEDY
        )
    return f"{key_type} {words[1]}"


def _is_key_type(word: str) -> bool:
    return word.startswith(("ssh-", "ecdsa-", "sk-"))


def _is_blob_of(key_type: str, encoded: str) -> bool:
    """Whether the base64 text holds exactly one public key of the type."""
    try:
        fields = _split_strings(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError):
        return False
    curve = key_type.removeprefix("ecdsa-sha2-")
    if curve == key_type:
        return fields[:1] == [key_type.encode()] and [len(field) for field in fields[1:]] == [_ED25519_BYTES]
    return (
        fields[:-1] == [key_type.encode(), curve.encode()]
        and len(fields[-1]) == _ECDSA_POINT_BYTES[curve]
        and fields[-1].startswith(_UNCOMPRESSED_POINT)
    )


def _split_strings(blob: bytes) -> list[bytes]:
    """Split a sequence of SSH strings (32-bit big-endian length, then the bytes).

    Raises:
        ValueError: If the lengths do not add up to the whole.
    """
    fields = []
    while blob:
        if len(blob) < struct.calcsize(">I"):
            raise ValueError("the length is cut off")
        (size,) = struct.unpack_from(">I", blob)
        field, blob = blob[4 : 4 + size], blob[4 + size :]
        if len(field) != size:
            raise ValueError("the field is cut off")
        fields.append(field)
    return fields


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
    if first == "-----BEGIN ENCRYPTED PRIVATE KEY-----" or "Proc-Type: 4,ENCRYPTED" in text:
        raise _passphrase()
    kinds = [
        kind for kind in _PRIVATE_KEY_KINDS if first == f"-----BEGIN {f'{kind} '.lstrip()}PRIVATE KEY-----"
    ]
    if not kinds or lines[-1].strip() != first.replace("BEGIN", "END"):
        raise InvalidValueError(
            "is not a whole private key (from a BEGIN … PRIVATE KEY line to its END line)",
            f"{_SET_REMEDY}, {_AGENT_REMEDY}",
        )
    if kinds == ["OPENSSH"]:
        _check_openssh_body("".join(line.strip() for line in lines[1:-1]))
    return Secret("".join(f"{line.strip()}\n" for line in lines))


def _check_openssh_body(encoded: str) -> None:
    try:
        body = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        body = b""
    magic, rest = body[: len(_OPENSSH_MAGIC)], body[len(_OPENSSH_MAGIC) :]
    size = int.from_bytes(rest[:4], "big")
    cipher = rest[4 : 4 + size]
    if magic != _OPENSSH_MAGIC or len(cipher) != size:
        raise InvalidValueError("is a damaged private key", f"{_SET_REMEDY}, {_AGENT_REMEDY}")
    if cipher != b"none":
        raise _passphrase()


def _passphrase() -> InvalidValueError:
    return InvalidValueError(
        "is a private key with a passphrase, which nobody could type in while Pulumi runs",
        f"{_SET_REMEDY} (FILE being a copy freed of it by `ssh-keygen -p -N '' -f FILE`), {_AGENT_REMEDY}",
    )


def read_key_file(path: str) -> str:
    """Return the text of a key file; `~` is the user's home.

    Raises:
        InvalidValueError: If there is no such file, or it cannot be read as text.
    """
    remedy = f"Give the path of the private key's file, as in ~/.ssh/id_ed25519, {_AGENT_REMEDY}"
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
