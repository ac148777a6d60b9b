"""Cards that are mounted: what is added to them, and what stays."""

import os
import re
from pathlib import Path

import pytest

from infra.config.problems import InvalidValueError
from infra.init.cards.layout import MEDIA, check_place
from tests.infra.fake_host import LINE
from tests.infra.init.card_files import boot_partition, keys_on, state, user_data
from tests.infra.init.conftest import ONE, Project

EDITED = LINE.rstrip(b"\n") + b" cgroup_memory=1 cgroup_enable=memory cgroup_enable=cpuset\n"


@pytest.mark.parametrize("file", ["cmdline.txt", "current/cmdline.txt"])
def test_a_card_that_is_mounted_gets_the_kernel_options_and_keeps_what_was_there(
    stack: Project, file: str
) -> None:
    card = boot_partition(stack.folder / "bootfs", name=file)
    arguments = ["home", "--cards", "bootfs", "--card", "pi2", "--network", "dhcp"]
    result = stack.init(*arguments)
    assert result.returncode == 0, result.stderr
    assert "The card of pi2 is ready" in result.stderr
    assert (card / file).read_bytes() == EDITED
    assert (card / f"{file}.before-piray").read_bytes() == LINE
    assert (card / "user-data.before-piray").read_text() == "# from the image\n"
    assert user_data(card)["hostname"] == "pi2"
    assert keys_on(card)[1] in stack.stack().read_text()
    assert ONE in stack.stack().read_text()

    first = state(card)
    assert stack.init(*arguments).returncode == 0
    assert state(card) == first
    # With other answers the first contents are still what is kept.
    assert stack.init(*arguments[:-2], "--gateway", "192.0.2.1").returncode == 0
    assert (card / "network-config.before-piray").read_text() == "# from the image\n"
    assert (card / file).read_bytes() == EDITED


def test_cards_that_are_mounted_in_a_folder_are_found_by_the_names_of_the_pis(stack: Project) -> None:
    card = boot_partition(stack.folder / "media/pi2")
    assert stack.init("home", "--cards", "media", "--network", "dhcp").returncode == 0
    assert (card / "cmdline.txt").read_bytes() == EDITED
    assert sorted(os.listdir(stack.folder / "media/pi1")) == ["meta-data", "network-config", "user-data"]


def test_one_card_is_not_made_for_two_pis(stack: Project) -> None:
    card = boot_partition(stack.folder / "bootfs")
    first = state(card)
    result = stack.init("home", "--cards", "bootfs", "--network", "dhcp")
    assert result.returncode == 2
    assert "is the boot partition of one card, and there are 2 Pis" in result.stderr
    assert "--card pi1 or --card pi2" in result.stderr
    assert state(card) == first


def test_a_command_line_that_cannot_be_added_to_stops_all_before_anything_is_written(stack: Project) -> None:
    before = stack.stack().read_text()
    cards = [boot_partition(stack.folder / "media" / name, b"root=x\nquiet\n") for name in ("pi1", "pi2")]
    first = [state(card) for card in cards]
    result = stack.init("home", "--cards", "media", "--network", "dhcp")
    assert result.returncode == 2
    assert len(re.findall("cmdline.txt has more than one line", result.stderr)) == 2
    assert [state(card) for card in cards] == first
    assert stack.stack().read_text() == before


def test_a_card_that_is_not_mounted_is_not_made_on_this_machines_disk(stack: Project) -> None:
    before = stack.stack().read_text()
    result = stack.init("home", "--cards", "media/bootfs", "--card", "pi2", "--network", "dhcp")
    assert result.returncode == 2
    assert (
        f"--cards media/bootfs cannot be made, because {stack.folder}/media does not exist" in result.stderr
    )
    assert "Mount the card if it is one, or make the directory first: mkdir -p media/bootfs" in result.stderr
    assert stack.contents() == {"Pulumi.home.yaml"}
    assert stack.stack().read_text() == before


@pytest.mark.parametrize("root", MEDIA)
def test_below_the_places_of_removable_media_only_what_is_there_is_taken(root: Path) -> None:
    with pytest.raises(InvalidValueError, match="must be a card that is mounted"):
        check_place(root / "piray-has-no-such-card")


def test_a_directory_that_is_there_or_can_be_made_beside_others_is_taken(tmp_path: Path) -> None:
    check_place(tmp_path)
    check_place(tmp_path / "cards")


def test_a_slip_in_the_name_of_the_stack_is_told_with_the_stack_files_that_there_are(stack: Project) -> None:
    result = stack.init("nothere", "--cards", "cards", "--card", "pi2", "--network", "dhcp")
    assert result.returncode == 2
    assert "Pulumi.nothere.yaml does not exist" in result.stderr
    assert "The stack files here are Pulumi.home.yaml." in result.stderr
    assert stack.contents() == {"Pulumi.home.yaml"}
