"""Encrypted values of a stack file, written as by `pulumi config set --secret`, read for a program."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from cryptography.fernet import Fernet, InvalidToken

from sandbox.engine.stack.files import engine_text, merged_config, stack_file

_SALT = "encryptionsalt"


class EncryptedError(Exception):
    """A value cannot be encrypted or read; the text is for the user."""


def set_secret(folder: Path, stack: str, path: str, value: str, env: Mapping[str, str]) -> None:
    """Store a value in a stack file.

    Args:
        folder: The project's folder.
        stack: Name of the stack.
        path: Key with its namespace, and what of its value is meant: `piray:hosts[0].sudoPassword`.
        value: The value in clear.
        env: Has the passphrase, as for the real CLI.
    """
    file = stack_file(folder, stack)
    contents: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    salt = contents.setdefault(_SALT, secrets.token_hex(16))
    place, last = _place(contents, path)
    place[last] = {"secure": _cipher(env, salt).encrypt(value.encode()).decode()}
    file.write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf-8")


def remove_value(folder: Path, stack: str, path: str) -> None:
    """Take a value out of a stack file; one that is not there is no mistake.

    Args: as for set_secret.
    """
    file = stack_file(folder, stack)
    contents: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    place, last = _place(contents, path)
    if isinstance(place, list) or last in place:
        del place[last]
    file.write_text(yaml.safe_dump(contents, sort_keys=False), encoding="utf-8")


def _place(contents: dict[str, Any], path: str) -> tuple[Any, Any]:
    """Return the mapping or list of a stack file in which a value stands, and its key or index there."""
    *above, last = re.findall(r"[^.\[\]]+", path)
    place: Any = contents.setdefault("config", {})
    for step in above:
        place = place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
    return place, int(last) if isinstance(place, list) else last


def read_config(name: str, folder: Path, env: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the config of a stack in clear, and the keys that hold something encrypted.

    Args:
        name: Name of the stack.
        folder: The project's folder.
        env: Has the passphrase.

    Raises:
        EncryptedError: If it is not the right one.
    """
    contents = yaml.safe_load(stack_file(folder, name).read_text(encoding="utf-8"))
    texts, encrypted = {}, []
    for key, value in merged_config(name, folder).items():
        clear = value
        if _holds_secret(value):
            encrypted.append(key)
            clear = _decrypted(value, _cipher(env, contents.get(_SALT, "")))
        texts[key] = engine_text(clear)
    return texts, encrypted


def _is_secret(value: object) -> bool:
    return isinstance(value, dict) and list(value) == ["secure"]


def _holds_secret(value: object) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return _is_secret(value) or any(_holds_secret(item) for item in inner)


def _decrypted(value: Any, cipher: Fernet) -> Any:
    if _is_secret(value):
        try:
            return cipher.decrypt(value["secure"].encode()).decode()
        except InvalidToken:
            raise EncryptedError("failed to decrypt configuration: incorrect passphrase") from None
    if isinstance(value, dict):
        return {key: _decrypted(item, cipher) for key, item in value.items()}
    return [_decrypted(item, cipher) for item in value] if isinstance(value, list) else value


def _cipher(env: Mapping[str, str], salt: str) -> Fernet:
    if "PULUMI_CONFIG_PASSPHRASE" in env:
        passphrase = env["PULUMI_CONFIG_PASSPHRASE"].encode()
    elif "PULUMI_CONFIG_PASSPHRASE_FILE" in env:
        passphrase = Path(env["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_bytes().strip()
    else:
        raise EncryptedError("passphrase must be set with PULUMI_CONFIG_PASSPHRASE or …_FILE")
    key = hashlib.scrypt(passphrase, salt=salt.encode(), n=2**14, r=8, p=1, dklen=32)
    return Fernet(base64.urlsafe_b64encode(key))
