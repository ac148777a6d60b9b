"""The project's own program on the test engine, with a real Ray on this machine."""

from pathlib import Path

import pytest

from sandbox.project import TEST_ENGINE
from tests.checkout import Checkout


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_the_program_itself_comes_up_on_this_machine_and_goes_away(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path, TEST_ENGINE)
    up = checkout.deploy("up", "local")
    try:
        assert up.code == 0, up.said
        assert up.names("create") == {"ray-token", "ray-local"}
        assert checkout.deploy("up", "local").changes == set()
        file = checkout.folder / "Pulumi.local.yaml"
        file.write_text(file.read_text().replace("piray:workers: 2", "piray:workers: 1"))
        assert checkout.deploy("up", "local").changes == {("update", "ray-local")}
        assert checkout.outputs("local")["workers"] == 1
    finally:
        down = checkout.deploy("down", "local")
    assert down.code == 0, down.said
    assert down.names("delete") == {"ray-token", "ray-local"}
    assert checkout.outputs("local") == {}
