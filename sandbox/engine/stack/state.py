"""What the test engine remembers of a stack: one file, written after every operation, secrets encrypted."""

import base64
import hashlib
import json
import os
import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from sandbox.engine.stack.resource import Resource, from_checkpoint, to_checkpoint
from sandbox.engine.wire.marks import SECRET, SIGNATURE
from sandbox.engine.wire.secret_words import SecretWords
from sandbox.engine.wire.values import is_secret

_CIPHERTEXT = "ciphertext"


class StateError(Exception):
    """The state cannot be used; the text is for the user."""


@dataclass(eq=False)
class PendingOperation:
    """What has been begun, noted before it is: "creating", "updating" or "deleting" a resource."""

    type: str
    resource: Resource


class State:
    """The resources of one stack, in the order of their creation, and the file that keeps them.

    Args:
        path: The file; made by the first `save`.
        env: Has the passphrase, as for the real CLI.
    """

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self.path = path
        self.resources: list[Resource] = []
        self.pending_operations: list[PendingOperation] = []
        self.secrets = SecretWords()
        self._salt = secrets.token_hex(16)
        contents = json.loads(path.read_text()) if path.exists() else None
        if contents:
            self._salt = contents["deployment"]["secrets_providers"]["state"]["salt"]
        self._cipher = Fernet(_key(_passphrase(env), self._salt))
        if contents:
            self._read(self._decrypted(contents["deployment"]))
        self._by_urn: defaultdict[str, list[Resource]] = defaultdict(list)
        for one in self.resources:
            self._by_urn[one.urn].append(one)
            self.secrets.add(one.name, one.outputs)

    def _read(self, deployment: Mapping[str, Any]) -> None:
        self.resources = [from_checkpoint(one) for one in deployment["resources"]]
        self.pending_operations = [
            PendingOperation(one["type"], from_checkpoint(one["resource"]))
            for one in deployment["pending_operations"]
        ]

    def live(self, urn: str) -> Resource | None:
        """Return the resource with this URN that has not been replaced."""
        return next((one for one in self._by_urn[urn] if not one.delete), None)

    def put(self, new: Resource) -> None:
        """Add a resource, in the place of the one with its URN unless that is still to be deleted."""
        old = self.live(new.urn)
        if old is None:
            self.resources.append(new)
        else:
            self.resources[self.resources.index(old)] = new
            self._by_urn[new.urn].remove(old)
            self.secrets.remove(old.name, old.outputs)
        self._by_urn[new.urn].append(new)
        self.secrets.add(new.name, new.outputs)

    def set_outputs(self, resource: Resource, outputs: dict[str, Any]) -> None:
        """Give other outputs to a resource that is there."""
        self.secrets.remove(resource.name, resource.outputs)
        resource.outputs = outputs
        self.secrets.add(resource.name, outputs)

    def remove(self, resource: Resource) -> None:
        """Forget a resource."""
        self.resources.remove(resource)
        self._by_urn[resource.urn].remove(resource)
        self.secrets.remove(resource.name, resource.outputs)

    def save(self) -> None:
        """Write the file, readable by its owner only, in one step.

        Raises:
            AssertionError: If a secret would be in it in clear.
        """
        deployment = {
            "secrets_providers": {"type": "passphrase", "state": {"salt": self._salt}},
            "resources": [to_checkpoint(one) for one in self.resources],
            "pending_operations": [
                {"type": one.type, "resource": to_checkpoint(one.resource)} for one in self.pending_operations
            ],
        }
        contents = {"version": 3, "deployment": deployment}
        text = json.dumps(self._encrypted(contents), indent=1)
        leaks = self.secrets.owners_in(text)
        assert not leaks, f"secrets of {leaks} would be in clear in {self.path}"
        unfinished = self.path.with_suffix(".new")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        unfinished.replace(self.path)

    def _encrypted(self, value: Any) -> Any:
        if is_secret(value):
            text = json.dumps(value["value"]).encode()
            return {SIGNATURE: SECRET, _CIPHERTEXT: self._cipher.encrypt(text).decode()}
        if isinstance(value, dict):
            return {key: self._encrypted(item) for key, item in value.items()}
        return [self._encrypted(item) for item in value] if isinstance(value, list) else value

    def _decrypted(self, value: Any) -> Any:
        if is_secret(value):
            try:
                text = self._cipher.decrypt(value[_CIPHERTEXT].encode())
            except InvalidToken:
                raise StateError("incorrect passphrase") from None
            return {SIGNATURE: SECRET, "value": json.loads(text)}
        if isinstance(value, dict):
            return {key: self._decrypted(item) for key, item in value.items()}
        return [self._decrypted(item) for item in value] if isinstance(value, list) else value


def state_path(env: Mapping[str, str], project: str, stack: str) -> Path:
    """Return where the state of a stack is kept: in $PIRAY_ENGINE_STATE, else below the user's home."""
    folder = Path(env.get("PIRAY_ENGINE_STATE") or Path.home() / ".local/state/piray-test-engine")
    return folder / project / f"{stack}.json"


def _passphrase(env: Mapping[str, str]) -> bytes:
    if "PULUMI_CONFIG_PASSPHRASE" in env:
        return env["PULUMI_CONFIG_PASSPHRASE"].encode()
    if "PULUMI_CONFIG_PASSPHRASE_FILE" in env:
        return Path(env["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_bytes().strip()
    raise StateError(
        "passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE "
        "environment variables"
    )


def _key(passphrase: bytes, salt: str) -> bytes:
    return base64.urlsafe_b64encode(
        hashlib.scrypt(passphrase, salt=bytes.fromhex(salt), n=2**14, r=8, p=1, dklen=32)
    )
