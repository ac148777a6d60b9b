"""A file of outputs is read however a shell wrote it, or refused with how to write it."""

import codecs
import json

import pytest

from tests.workloads.runner.test_stack_outputs import LOCAL, PI
from workloads.runner.outputs_file import read_file
from workloads.runner.stack_outputs import StackError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "outputs.json is empty: the command that should have written it failed; write it with `pulumi"),
        ("\r\n", "outputs.json is empty"),
        (b"\xff\xfe", "outputs.json is empty"),
        (b"\xfe\xff", "outputs.json is empty"),
        (b"\xef\xbb\xbf", "outputs.json is empty"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"piJob": ' * 100_000, "is not JSON"),
        ("Current stack outputs (3):\n    OUTPUT  VALUE\n", "is not JSON"),
        ("apiVersion: v1\nkind: Config\n", "is not JSON"),
        (b'{"platform": "\xff"}', "is not JSON (it is no text in UTF-8 or UTF-16): write it with `pulumi"),
        (json.dumps(PI).encode("utf-16")[:-1], "is not JSON (it is no text in UTF-8 or UTF-16)"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "is not JSON"),
        ("[]", "must hold one JSON object of stack outputs, not list: write it with `pulumi"),
        ("null", "must hold one JSON object of stack outputs, not NoneType"),
        ('"text"', "must hold one JSON object of stack outputs, not str"),
        ("1e999", "must hold one JSON object of stack outputs, not float"),
        (
            json.dumps({**PI, "rayToken": "[secret]"}),
            "without its secrets (output rayToken): add --show-secrets",
        ),
        (
            json.dumps({**PI, "kubeconfig": "[secret]", "rayToken": "[secret]"}),
            "without its secrets (output rayToken, kubeconfig): add --show-secrets",
        ),
        (json.dumps({**PI, "hosts": "[secret]"}), "without its secrets (output hosts): add --show-secrets"),
        (
            json.dumps({**PI, "hosts": {"pi1": {"throttled": ["[secret]"]}}}),
            "without its secrets (output hosts): add --show-secrets",
        ),
        (json.dumps({"version": 3, "deployment": {}}), "is the export of a stack, not its outputs: write it"),
        ("{}", "outputs.json has no outputs: run `make up` for its stack, then write the file with `pulumi"),
        (
            json.dumps({**PI, "workers": None}),
            "outputs.json has no output workers: run `make up` for its stack",
        ),
    ],
)
def test_a_file_that_cannot_be_used_says_how_to_write_it(content: str | bytes, message: str) -> None:
    with pytest.raises(StackError) as caught:
        read_file("outputs.json", content.encode() if isinstance(content, str) else content)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


MARKED = [
    pytest.param("utf-8", b"", id="UTF-8"),
    pytest.param("utf-8", codecs.BOM_UTF8, id="UTF-8 with a mark"),
    pytest.param("utf-16-le", b"", id="UTF-16, little end first"),
    pytest.param("utf-16-le", codecs.BOM_UTF16_LE, id="UTF-16 with a mark, little end first (PowerShell 5)"),
    pytest.param("utf-16-be", b"", id="UTF-16, big end first"),
    pytest.param("utf-16-be", codecs.BOM_UTF16_BE, id="UTF-16 with a mark, big end first"),
]


@pytest.mark.parametrize(("encoding", "mark"), MARKED)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_in_whatever_encoding_a_shell_wrote_it(encoding: str, mark: bytes, end: str) -> None:
    text = json.dumps({**LOCAL, "platform": "Küche"}, indent=2, ensure_ascii=False) + "\n"
    content = mark + text.replace("\n", end).encode(encoding)
    assert read_file("outputs.json", content).platform == "Küche"
