"""Host key lines and private keys, with keys that ssh-keygen made."""

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519

from infra.config.problems import InvalidValueError
from infra.config.values.ssh_keys import (
    HOST_KEY_TYPES,
    Secret,
    parse_host_key,
    parse_private_key,
    read_key_file,
)

KeyMaker = Callable[..., Path]


@pytest.fixture(scope="module")
def make_key(tmp_path_factory: pytest.TempPathFactory) -> KeyMaker:
    """Return a function that makes a key pair and returns the private key's file."""

    def make(*options: str, passphrase: str = "") -> Path:
        file = tmp_path_factory.mktemp("key") / "id"
        subprocess.run(
            ["ssh-keygen", "-q", "-N", passphrase, "-C", "a comment", "-f", file, *options], check=True
        )
        return file

    return make


def public_line(file: Path) -> str:
    return file.with_suffix(".pub").read_text()


@pytest.mark.parametrize(
    ("options", "key_type"),
    [
        (["-t", "ed25519"], "ssh-ed25519"),
        (["-t", "ecdsa", "-b", "256"], "ecdsa-sha2-nistp256"),
        (["-t", "ecdsa", "-b", "384"], "ecdsa-sha2-nistp384"),
        (["-t", "ecdsa", "-b", "521"], "ecdsa-sha2-nistp521"),
    ],
)
def test_a_host_key_is_taken_without_comment_and_hostname(
    make_key: KeyMaker, options: list[str], key_type: str
) -> None:
    line = public_line(make_key(*options))
    expected = " ".join(line.split()[:2])
    assert key_type in HOST_KEY_TYPES
    assert expected.startswith(f"{key_type} ")
    for variant in (
        line,
        expected,
        f"198.51.100.11 {line}",
        f"[198.51.100.11]:2222 {expected}",
        f"|1|a=|b= {line}",
    ):
        assert parse_host_key(variant) == expected


def test_an_rsa_host_key_is_refused_with_the_reason(make_key: KeyMaker) -> None:
    line = public_line(make_key("-t", "rsa", "-b", "2048"))
    for variant in (line, f"198.51.100.11 {line}"):
        with pytest.raises(InvalidValueError, match="SHA-1"):
            parse_host_key(variant)


def compressed_point() -> str:
    """Return a public key of ECDSA that gives one coordinate and a sign, which OpenSSH never writes."""
    parts = (b"ecdsa-sha2-nistp256", b"nistp256", b"\x02" + bytes(31) + b"\x01")
    return base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).decode()


def test_what_is_not_one_whole_host_key_is_refused(make_key: KeyMaker) -> None:
    key_type, encoded, *_ = public_line(make_key("-t", "ed25519")).split()
    blob = base64.b64decode(encoded)
    damaged = [
        "",
        " \n",
        key_type,
        encoded,
        f"{key_type} {encoded}\n{key_type} {encoded}",
        f"@revoked * {key_type} {encoded}",
        f"# 198.51.100.11:22 SSH-2.0 {key_type} {encoded}",
        f"{key_type} {encoded[:-4]}",
        f"{key_type} {encoded}AAAA",
        f"{key_type} !{encoded[1:]}",
        f"{key_type} !!!!{encoded}",
        f"{key_type} {base64.b64encode(blob[:2]).decode()}",
        f"{key_type} {base64.b64encode(blob + bytes(4)).decode()}",
        f"{key_type} é",
        f"ecdsa-sha2-nistp256 {compressed_point()}",
        f"ecdsa-sha2-nistp256 {encoded}",
        f"ssh-dss {encoded}",
        f"sk-ssh-ed25519@openssh.com {encoded}",
    ]
    for line in damaged:
        with pytest.raises(InvalidValueError, match="ssh-keyscan -t ed25519"):
            parse_host_key(line)


@pytest.mark.parametrize(
    "options",
    [
        ["-t", "ed25519"],
        ["-t", "rsa", "-b", "2048"],
        ["-t", "rsa", "-b", "2048", "-m", "PEM"],
        ["-t", "ecdsa", "-m", "PKCS8"],
    ],
)
def test_a_private_key_without_passphrase_is_taken_whatever_its_line_ends(
    make_key: KeyMaker, options: list[str]
) -> None:
    text = make_key(*options).read_text()
    expected = Secret(text)
    assert parse_private_key(text) == expected
    assert parse_private_key(text.rstrip("\n")) == expected
    assert parse_private_key(text.replace("\n", "\r\n")) == expected


@pytest.mark.parametrize(
    "options",
    [["-t", "ed25519"], ["-t", "rsa", "-b", "2048", "-m", "PEM"], ["-t", "ecdsa", "-m", "PKCS8"]],
)
def test_a_private_key_with_passphrase_is_refused_with_what_to_do(
    make_key: KeyMaker, options: list[str]
) -> None:
    text = make_key(*options, passphrase="a long one").read_text()
    with pytest.raises(InvalidValueError, match="passphrase") as caught:
        parse_private_key(text)
    assert "ssh-add" in caught.value.remedy
    assert "pulumi config set --secret piray:sshPrivateKey" in caught.value.remedy
    assert text.splitlines()[2] not in str(caught.value)


def test_a_public_key_given_by_mistake_is_named_as_such(make_key: KeyMaker) -> None:
    file = make_key("-t", "ed25519")
    for text in (public_line(file), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(InvalidValueError, match="public key"):
            parse_private_key(text)


def test_what_is_no_private_key_is_refused(make_key: KeyMaker) -> None:
    lines = make_key("-t", "ed25519").read_text().splitlines()
    for text in (
        "",
        "hello",
        "\n".join(lines[:-1]),
        "\n".join([lines[0], "####", lines[-1]]),
        "\n".join([lines[0], lines[-1]]),
    ):
        with pytest.raises(InvalidValueError, match="private key"):
            parse_private_key(text)
    with pytest.raises(InvalidValueError, match="PuTTY") as caught:
        parse_private_key("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")
    assert "puttygen" in caught.value.remedy


@pytest.mark.parametrize("kind", ["x25519", "secp256k1", "brainpoolP256r1"])
def test_a_private_key_of_a_kind_that_ssh_does_not_know_is_refused(kind: str) -> None:
    curves = {"secp256k1": ec.SECP256K1(), "brainpoolP256r1": ec.BrainpoolP256R1()}
    key = ec.generate_private_key(curves[kind]) if kind in curves else x25519.X25519PrivateKey.generate()
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    text = key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
    with pytest.raises(InvalidValueError, match="of a kind that SSH does not know") as caught:
        parse_private_key(text)
    assert "ssh-keygen -t ed25519" in caught.value.remedy


def test_a_large_or_special_file_is_not_read_in(tmp_path: Path) -> None:
    large = tmp_path / "disk.img"
    large.write_bytes(bytes(1_000_000))
    for path in (str(large), "/dev/zero", str(tmp_path)):
        with pytest.raises(InvalidValueError, match="not a key file"):
            read_key_file(path)


def test_a_file_of_bytes_is_no_private_key(tmp_path: Path) -> None:
    file = tmp_path / "id.der"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidValueError, match="not a whole private key"):
        parse_private_key(read_key_file(str(file)))


def test_a_secret_shows_nothing() -> None:
    secret = Secret("CANARY")
    assert "CANARY" not in f"{secret} {secret!r} {secret!s} {[secret]}"
    assert secret == Secret("CANARY")
    assert secret != Secret("other")
    assert secret != "CANARY"
