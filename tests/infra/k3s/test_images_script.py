"""images.sh on fake hosts: archives of images come from the mirror before k3s starts, and go with it."""

import hashlib
import json

import pytest

from tests.infra.fake_host import FakeHost, contents
from tests.infra.k3s.mirror import IMAGE, IMAGES, NEWER, VERSION, Mirror, images_of, install, refusal

FOLDER = "var/lib/rancher/k3s/agent/images"
FILE = f"{FOLDER}/piray-{IMAGES}.zst"
RAY = "registry.example_ray_1.tar"


def archives(host: FakeHost) -> set[str]:
    return {path.name for path in (host.root / FOLDER).iterdir()}


def test_the_images_of_k3s_are_there_before_it_starts(host: FakeHost, mirror: Mirror) -> None:
    host.program("systemctl", f'[ "$1" != restart ] || ls {host.root}/{FOLDER} >>"$FAKE/at-start"\nexit 0')
    assert install(host, mirror, role="agent").returncode == 0
    assert (host.fake / "at-start").read_text() == f"piray-{IMAGES}.zst\n"
    assert host.read(FILE).encode() == images_of(VERSION)


def test_images_that_are_there_are_not_downloaded_again(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    requests = list(mirror.requests)
    install(host, mirror)
    # The mirror is asked whether it has an archive of the Ray image by now.
    assert [path for path in mirror.requests[len(requests) :] if "k3s" in path] == []


def test_a_damaged_archive_is_put_right(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    host.write(FILE, "half of it")
    assert install(host, mirror).returncode == 0
    assert host.read(FILE).encode() == images_of(VERSION)


def test_another_version_brings_its_own_images_and_a_restart(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    assert install(host, mirror, version=NEWER).returncode == 0
    assert archives(host) == {f"piray-{IMAGES}.zst"}
    assert host.read(FILE).encode() == images_of(NEWER)


def test_another_compression_takes_the_place_of_the_first(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    (mirror.folder / NEWER / f"{IMAGES}.zst").rename(mirror.folder / NEWER / f"{IMAGES}.gz")
    sums = mirror.folder / NEWER / "sha256sum-arm64.txt"
    digest = hashlib.sha256(images_of(NEWER)).hexdigest()
    sums.write_text(sums.read_text().replace(f"{'0' * 64}  {IMAGES}.gz", f"{digest}  {IMAGES}.gz"))
    assert install(host, mirror, version=NEWER).returncode == 0
    assert archives(host) == {f"piray-{IMAGES}.gz"}


def test_a_wrong_sum_of_the_images_names_both_and_replaces_nothing(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    (mirror.folder / NEWER / f"{IMAGES}.zst").write_bytes(b"half a file")
    text = refusal(install(host, mirror, version=NEWER))
    assert hashlib.sha256(b"half a file").hexdigest() in text
    assert hashlib.sha256(images_of(NEWER)).hexdigest() in text
    assert host.read(FILE).encode() == images_of(VERSION)
    assert {path.name for path in (host.root / FOLDER).parent.iterdir()} == {"images"}


def test_a_download_of_images_that_breaks_off_leaves_nothing_behind(host: FakeHost, mirror: Mirror) -> None:
    mirror.cut = ".zst"
    assert f"cannot download {mirror.url}" in refusal(install(host, mirror))
    assert archives(host) == set()
    mirror.cut = ""
    assert install(host, mirror).returncode == 0


def test_a_mirror_without_images_is_refused_where_the_hub_does_not_answer(
    host: FakeHost, mirror: Mirror
) -> None:
    (mirror.folder / VERSION / f"{IMAGES}.zst").unlink()
    text = refusal(install(host, mirror))
    assert f"the mirror has no {mirror.url}/v1.36.5%2Bk3s1/{IMAGES}.zst" in text
    assert "piray mirror DIR" in text
    assert not [call for call in host.calls() if call.startswith("systemctl restart")]


def test_a_mirror_without_images_will_do_where_the_hub_answers(host: FakeHost, mirror: Mirror) -> None:
    (mirror.folder / VERSION / f"{IMAGES}.zst").unlink()
    mirror.hub = True
    assert install(host, mirror).returncode == 0


def test_a_mirror_without_images_will_do_beside_a_registry_of_the_owners(
    host: FakeHost, mirror: Mirror
) -> None:
    (mirror.folder / VERSION / f"{IMAGES}.zst").unlink()
    host.write("etc/rancher/k3s/registries.yaml", "mirrors: {}\n")
    assert install(host, mirror).returncode == 0


def test_an_archive_of_the_ray_image_comes_along(host: FakeHost, mirror: Mirror) -> None:
    mirror.publish_image(RAY, b"the Ray image")
    assert install(host, mirror).returncode == 0
    assert archives(host) == {f"piray-{IMAGES}.zst", f"piray-{RAY}"}
    requests = list(mirror.requests)
    assert install(host, mirror).returncode == 0
    assert mirror.requests == requests


def test_another_ray_image_takes_the_place_of_the_first(host: FakeHost, mirror: Mirror) -> None:
    mirror.publish_image(RAY, b"the Ray image")
    mirror.publish_image("registry.example_ray_2.tar.gz", b"the next Ray image")
    install(host, mirror)
    assert install(host, mirror, image="registry.example/ray:2").returncode == 0
    assert archives(host) == {f"piray-{IMAGES}.zst", "piray-registry.example_ray_2.tar.gz"}


def test_an_archive_that_comes_to_the_mirror_later_is_fetched(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    mirror.publish_image(RAY, b"the Ray image")
    install(host, mirror)
    assert f"piray-{RAY}" in archives(host)


@pytest.mark.parametrize("role", ["server", "agent"])
def test_images_go_with_k3s_and_the_owners_stay(host: FakeHost, mirror: Mirror, role: str) -> None:
    host.write(f"{FOLDER}/mine.tar", "an archive of the owner's")
    before = contents(host.root)
    mirror.publish_image(RAY, b"the Ray image")
    first = install(host, mirror, role=role, image=IMAGE)
    assert set(json.loads(first.stdout)) == {"version", "sha256"}
    assert install(host, mirror, role=role, action="undo").returncode == 0
    assert contents(host.root) == before


def test_archives_of_several_images_stay_beside_each_other(host: FakeHost, mirror: Mirror) -> None:
    other = "registry.example_operator_2.tar"
    mirror.publish_image(RAY, b"the Ray image")
    mirror.publish_image(other, b"the operator's image")
    for _ in range(2):
        install(host, mirror, image="registry.example/ray:1 registry.example/operator:2")
        assert archives(host) == {f"piray-{IMAGES}.zst", f"piray-{RAY}", f"piray-{other}"}
