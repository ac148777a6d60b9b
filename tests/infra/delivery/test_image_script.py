"""image.sh on a fake host: what arrives in pieces, what is wrong, what stays and what goes."""

import gzip
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.delivery.node import SCRIPT
from tests.infra.fake_host import FakeHost, contents, make_host

IMAGE = "piray.internal/ray:1"
CONTENT = bytes(range(256)) * 40 + b'\nmain "$@"\nexit 7\n'
AGENT = "var/lib/rancher/k3s/agent"
# Keeps images as names in a file; what it imports names the image in its first line, if it is not binary.
K3S = """#!/bin/bash
echo "k3s $*" >>"$FAKE/calls"
shift 3
case "$1 $2" in
  "images check")
    name=${3#name==}
    grep -qx -- "$name" "$FAKE/images" 2>/dev/null && echo "$name type digest complete true" ;;
  "images import")
    if [ "$3" = - ]; then cat; else cat "$3"; fi >"$FAKE/imported"
    [ ! -e "$FAKE/import-fails" ] || { echo "ctr: no space left on device" >&2; exit 1; }
    [ -e "$FAKE/other-image" ] || echo piray.internal/ray:1 >>"$FAKE/images" ;;
  "images pull")
    [ -e "$FAKE/registry" ] || { echo "ctr: not found" >&2; exit 1; }
    echo "${@: -1}" >>"$FAKE/images" ;;
  "images remove") sed -i "\\\\|^$3\\$|d" "$FAKE/images" ;;
esac
exit 0
"""


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = make_host(tmp_path / "host")
    host.write("usr/local/bin/k3s", K3S).chmod(0o755)
    (host.root / AGENT).mkdir(parents=True)
    return host


def act(
    host: FakeHost, action: str, more: bytes | None = None, image: str = IMAGE, content: bytes = CONTENT
) -> subprocess.CompletedProcess[bytes]:
    variables = {"IMAGE": image, "SIZE": str(len(content)), "SHA256": hashlib.sha256(content).hexdigest()}
    if more is None:
        return host.run([SCRIPT], action, **variables)
    return host.feed([SCRIPT], action, more, variables)


def look(host: FakeHost) -> Any:
    return json.loads(act(host, "look").stdout)


def refusal(done: subprocess.CompletedProcess[bytes]) -> str:
    assert done.returncode == 1
    text = done.stderr.decode()
    assert text.startswith("piray: pi2: ")
    return text


def images(host: FakeHost) -> list[str]:
    file = host.fake / "images"
    return file.read_text().splitlines() if file.exists() else []


def test_a_whole_archive_is_imported_byte_for_byte_and_nothing_of_it_is_run(host: FakeHost) -> None:
    assert act(host, "receive", CONTENT).returncode == 0
    assert (host.fake / "imported").read_bytes() == CONTENT
    assert look(host)["there"] is True
    assert not list((host.root / AGENT).iterdir())


def test_room_of_more_than_two_gigabytes_is_told_as_it_is(host: FakeHost) -> None:
    (host.fake / "bin" / "df").write_text("#!/bin/sh\necho Filesystem\necho /dev/x 0 0 40000000 0% /\n")
    (host.fake / "bin" / "df").chmod(0o755)
    assert look(host)["free"] == 40_000_000 * 1024


def test_what_came_before_a_cut_is_kept_and_the_rest_is_enough(host: FakeHost) -> None:
    text = refusal(act(host, "receive", CONTENT[:1000]))
    assert f"after 1000 of {len(CONTENT)} bytes" in text
    seen = look(host)
    assert (seen["there"], seen["received"]) == (False, 1000)
    assert act(host, "receive", CONTENT[1000:]).returncode == 0
    assert (host.fake / "imported").read_bytes() == CONTENT


def test_an_archive_that_came_wrong_is_thrown_away_with_both_sums_named(host: FakeHost) -> None:
    wrong = CONTENT[:-1] + b"x"
    text = refusal(act(host, "receive", wrong))
    assert hashlib.sha256(wrong).hexdigest() in text
    assert hashlib.sha256(CONTENT).hexdigest() in text
    assert look(host)["received"] == 0
    assert not images(host)


def test_the_beginning_of_another_archive_goes(host: FakeHost) -> None:
    act(host, "receive", CONTENT[:1000])
    other = CONTENT + b"more"
    assert act(host, "receive", other, content=other).returncode == 0
    assert not list((host.root / AGENT).iterdir())


def test_a_packed_archive_is_unpacked_on_the_way(host: FakeHost) -> None:
    packed = gzip.compress(CONTENT)
    assert act(host, "receive", packed, content=packed).returncode == 0
    assert (host.fake / "imported").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("trouble", "words"),
    [("import-fails", "no space left on device"), ("other-image", "holds another image")],
)
def test_an_archive_that_is_not_taken_is_told_and_leaves_nothing(
    trouble: str, words: str, host: FakeHost
) -> None:
    (host.fake / trouble).touch()
    assert words in refusal(act(host, "receive", CONTENT))
    assert not list((host.root / AGENT).iterdir())


def test_what_nobody_has_is_told_with_what_was_said(host: FakeHost) -> None:
    assert "ctr: not found" in refusal(act(host, "pull"))
    (host.fake / "registry").touch()
    assert act(host, "pull").returncode == 0
    assert images(host) == [IMAGE]
    calls = len(host.calls())
    assert act(host, "pull").returncode == 0
    assert not [call for call in host.calls()[calls:] if "pull" in call]


def test_the_image_is_pinned_and_of_the_older_ones_the_last_stays_unpinned(host: FakeHost) -> None:
    (host.fake / "registry").touch()
    for number in (1, 2, 3):
        image = f"piray.internal/ray:{number}"
        assert act(host, "pull", image=image).returncode == 0
        assert act(host, "keep", image=image).returncode == 0
    assert images(host) == ["piray.internal/ray:2", "piray.internal/ray:3"]
    labels = [call for call in host.calls() if "images label" in call]
    assert labels[-2:] == [
        "k3s ctr --namespace k8s.io images label piray.internal/ray:3 io.cri-containerd.pinned=pinned",
        "k3s ctr --namespace k8s.io images label piray.internal/ray:2 io.cri-containerd.pinned=",
    ]


def test_to_keep_it_again_changes_nothing(host: FakeHost) -> None:
    (host.fake / "registry").touch()
    act(host, "pull")
    act(host, "keep")
    before = contents(host.root)
    assert act(host, "keep").returncode == 0
    assert contents(host.root) == before
    assert images(host) == [IMAGE]
