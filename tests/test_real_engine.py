"""The program on the real Pulumi engine: runs where the CLI and its providers are on PATH."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import Checkout

pytestmark = [
    pytest.mark.engine,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="no pulumi on PATH"),
]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def local_stack(checkout: Checkout) -> Iterator[Checkout]:
    up = checkout.engine("up", "local")
    try:
        assert up.code == 0, up.said
        yield checkout
    finally:
        down = checkout.engine("down", "local")
        assert down.code == 0, down.said


def test_four_pis_that_do_not_exist_can_be_previewed(checkout: Checkout) -> None:
    preview = checkout.engine("preview", "dev", "--json")
    assert preview.code == 0, preview.said
    changes = json.loads(preview.stdout)["changeSummary"]
    assert set(changes) == {"create"}
    assert changes["create"] > 25


def test_mistakes_in_the_config_are_listed_without_a_traceback(checkout: Checkout) -> None:
    stack = checkout.folder / "Pulumi.dev.yaml"
    stack.write_text(
        stack.read_text().replace("198.51.100.12", "198.51.100.999").replace("role: agent", "role: slave")
    )
    preview = checkout.engine("preview", "dev")
    said = preview.said
    assert preview.code != 0
    assert "piray:hosts[1].address" in said
    assert "piray:hosts[3].role" in said
    assert "Traceback" not in said


def test_a_stack_on_this_machine_comes_up_computes_and_goes_away(local_stack: Checkout) -> None:
    again = local_stack.engine("preview", "local", "--expect-no-changes")
    assert again.code == 0, again.said

    run = local_stack.piray(
        "run", "mandelbrot", "--stack", "local", "--x-grids", "4", "--y-grids", "4", "--repeats", "1"
    )
    assert run.code == 0, run.said
    result = json.loads((local_stack.folder / "mandelbrot.json").read_text())
    assert [row["workers"] for row in result["rows"]] == [0, 1, 2]
