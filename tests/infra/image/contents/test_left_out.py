from pathlib import Path

import pytest

from infra.image.contents.left_out import SYMBOLS, leave_out
from infra.image.contents.wheels import PACKAGES
from tests.infra.image.ingredients import elf


def put(tree: Path, name: str, content: bytes = b"content") -> Path:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("usr/share/doc/bash/README.gz", "Debian: manuals"),
        ("usr/share/locale/de/messages.mo", "Debian: manuals"),
        ("usr/lib/aarch64-linux-gnu/gconv/EBCDIC.so", "Debian: conversions"),
        ("usr/lib/python3.11/lib2to3/pgen.py", "Python: "),
        (f"{PACKAGES}/numba/tests/test_all.py", "wheels: their tests"),
        (f"{PACKAGES}/numpy/_core/include/numpy/arrayobject.h", "wheels: headers"),
        (f"{PACKAGES}/ray/jars/ray_dist.jar", "Ray: Java"),
        (f"{PACKAGES}/ray/dashboard/client/build/static/js/main.js.map", "Ray: source maps"),
    ],
)
def test_a_file_is_left_out_and_counted(tmp_path: Path, name: str, what: str) -> None:
    path = put(tmp_path, name)
    counted = {kind: size for kind, size in leave_out(tmp_path).items() if size}
    assert not path.exists()
    (kind,) = counted
    assert kind.startswith(what)
    assert counted[kind] == len(b"content")


@pytest.mark.parametrize(
    "name",
    [
        "usr/share/doc/bash/copyright",
        "usr/share/zoneinfo/Europe/Berlin",
        "etc/ssl/certs/ca-certificates.crt",
        "tests/anything",
        f"{PACKAGES}/ray/tests_of_life.py",
        f"{PACKAGES}/numpy/_core/tests/_natype.py",
        f"{PACKAGES}/ray/dashboard/client/build/static/js/main.js",
        f"{PACKAGES}/numba/np/ufunc/workqueue.cpython-311-aarch64-linux-gnu.so",
    ],
)
def test_a_file_that_is_needed_stays(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, name)
    leave_out(tmp_path)
    assert path.read_bytes() == b"content"


def test_directories_of_a_system_stay_though_they_are_empty(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    leave_out(tmp_path)
    assert (tmp_path / "tmp").is_dir()


def test_symbols_of_a_wheels_library_are_cut_off_and_debians_stay(tmp_path: Path) -> None:
    content = elf("arm64", needed=("libc.so.6",), symbols=b"s" * 100_000)
    ours, debians = put(tmp_path, f"{PACKAGES}/one.so", content), put(tmp_path, "usr/lib/two.so", content)
    assert leave_out(tmp_path)[SYMBOLS] == 100_000
    assert (ours.stat().st_size, debians.stat().st_size) == (len(content) - 100_000, len(content))
