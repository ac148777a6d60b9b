"""The test engine does to resources what Pulumi's engine does to them."""

from tests.sandbox.engine.scenario import Scenario

ONE = "urn:pulumi:test::scenario::command:local:Command::one"
TWO = """
first = command("first", settings["first"])
second = command("second", first.stdout.apply(lambda text: "after " + text))
pulumi.export("said", second.stdout)
"""
CHAIN = """
opts = ResourceOptions(delete_before_replace=True)
root = command("root", "root", triggers=[settings["root"]], opts=opts)
node = command("node", "node", triggers=[root.id], opts=opts)
leaf = command("leaf", "leaf", triggers=[node.id], opts=opts)
reader = command("reader", root.id.apply(lambda _: settings["root"]))
other = command("other", "other", depends_on=[root])
"""


def test_what_has_been_done_is_not_done_again(scenario: Scenario) -> None:
    scenario.program(TWO, first="a")
    up = scenario.up()
    assert up.code == 0, up.said
    assert up.steps == (("create", "first"), ("create", "second"))
    assert scenario.outputs() == {"said": "after a"}
    assert len(scenario.journal()) == 4
    again = scenario.up()
    assert again.changes == set()
    assert scenario.preview("--expect-no-changes").code == 0
    assert scenario.journal() == []


def test_a_change_updates_a_resource_and_those_that_it_changes(scenario: Scenario) -> None:
    scenario.program(TWO, first="a")
    scenario.up()
    scenario.journal()
    scenario.set(first="b")
    assert scenario.up().changes == {("update", "first"), ("update", "second")}
    assert [line for line in scenario.journal() if "done" in line] == [
        "first update done",
        "second update done",
    ]
    assert scenario.outputs() == {"said": "after b"}


def test_without_an_update_the_create_runs_again(scenario: Scenario) -> None:
    scenario.program('command("one", settings["first"], update=False)', first="a")
    scenario.up()
    scenario.set(first="b")
    assert scenario.up().changes == {("update", "one")}
    assert "one create" in scenario.journal()


def test_a_replacement_is_made_before_the_old_one_goes(scenario: Scenario) -> None:
    scenario.program('command("one", "x", triggers=[settings["first"]])', first="a")
    scenario.up()
    scenario.journal()
    scenario.set(first="b")
    up = scenario.up()
    assert up.steps == (("create-replacement", "one"), ("replace", "one"), ("delete-replaced", "one"))
    assert [line for line in scenario.journal() if "done" in line] == ["one create done", "one delete done"]


def test_what_cannot_stay_goes_before_what_it_depends_on_is_replaced(scenario: Scenario) -> None:
    scenario.program(CHAIN, root="a")
    up = scenario.up()
    assert up.code == 0, up.said
    scenario.journal()
    scenario.set(root="b")
    planned = scenario.preview()
    assert planned.code == 0, planned.said
    assert scenario.journal() == []
    up = scenario.up()
    assert up.code == 0, up.said
    done = [line.removesuffix(" done") for line in scenario.journal() if "done" in line]
    assert done[:4] == ["leaf delete", "node delete", "root delete", "root create"]
    assert done.index("node create") < done.index("leaf create")
    assert "reader update" in done
    assert not [line for line in done if line.startswith("other")]
    assert up.names("replace") == {"root", "node", "leaf"}
    assert sorted(planned.changes) == sorted(up.changes)


def test_what_is_no_longer_wanted_goes_last_and_dependents_first(scenario: Scenario) -> None:
    scenario.program(CHAIN, root="a")
    scenario.up()
    scenario.journal()
    scenario.program('command("new", "new")')
    up = scenario.up()
    assert up.code == 0, up.said
    done = [line.removesuffix(" done") for line in scenario.journal() if "done" in line]
    assert done[0] == "new create"
    order = {line.split()[0]: at for at, line in enumerate(done)}
    assert order["leaf"] < order["node"] < order["root"]
    assert max(order["reader"], order["other"]) < order["root"]


def test_a_resource_is_replaced_on_demand(scenario: Scenario) -> None:
    scenario.program('command("one", "x")')
    scenario.up()
    scenario.journal()
    up = scenario.up("--replace", ONE)
    assert up.code == 0, up.said
    assert up.names("replace") == {"one"}
    assert [line for line in scenario.journal() if "done" in line] == ["one create done", "one delete done"]


def test_destroy_leaves_nothing(scenario: Scenario) -> None:
    scenario.program(CHAIN, root="a")
    scenario.up()
    down = scenario.destroy()
    assert down.code == 0, down.said
    assert down.changes == {("delete", name) for name in ("root", "node", "leaf", "reader", "other")}
    assert scenario.outputs() == {}
    assert scenario.destroy().changes == set()


def test_a_failure_stops_what_depends_on_it_and_the_next_run_goes_on(scenario: Scenario) -> None:
    program = """
bad = command("bad", "x", fails=settings["fails"])
after = command("after", "x", depends_on=[bad])
beside = command("beside", "x")
"""
    scenario.program(program, fails=True)
    up = scenario.up()
    assert up.code != 0
    assert "bad" in up.said
    assert "exit status 3: running" in up.said
    journal = scenario.journal()
    assert not [line for line in journal if line.startswith("after")]
    beside = "beside create done" in journal
    scenario.set(fails=False)
    up = scenario.up()
    assert up.code == 0, up.said
    assert ("create", "bad") in up.steps
    assert ("create", "after") in up.steps
    assert (("same" if beside else "create"), "beside") in up.steps


def test_a_failed_update_is_tried_again(scenario: Scenario) -> None:
    scenario.program('command("one", settings["first"], fails=settings["fails"])', first="a", fails=False)
    scenario.up()
    scenario.set(first="b", fails=True)
    assert scenario.up().code != 0
    assert scenario.up().changes == {("update", "one")}
    scenario.set(fails=False)
    assert scenario.up().changes == {("update", "one")}


def test_a_replacement_cut_in_half_is_finished(scenario: Scenario) -> None:
    program = """
command("one", "x", fails=settings["fails"], triggers=[settings["t"]],
        opts=ResourceOptions(delete_before_replace=True))
"""
    scenario.program(program, t="a", fails=False)
    scenario.up()
    scenario.set(t="b", fails=True)
    assert scenario.up().code != 0
    scenario.set(fails=False)
    scenario.journal()
    up = scenario.up()
    assert up.code == 0, up.said
    assert ("create-replacement", "one") in up.steps
    assert [line for line in scenario.journal() if "done" in line] == ["one create done"]


def test_a_preview_does_nothing_and_knows_no_outputs_of_what_is_new(scenario: Scenario) -> None:
    scenario.program(TWO + 'first.stdout.apply(lambda _: Path("applied").touch())', first="a")
    planned = scenario.preview()
    assert planned.code == 0, planned.said
    assert planned.names("create") == {"first", "second"}
    assert scenario.journal() == []
    assert not (scenario.folder / "applied").exists()
    scenario.up()
    scenario.journal()
    scenario.set(first="b")
    assert scenario.preview().names("update") == {"first", "second"}
    assert scenario.preview("--expect-no-changes").code != 0
    assert scenario.journal() == []


def test_independent_resources_are_made_side_by_side(scenario: Scenario) -> None:
    scenario.program('for name in "abc": command(name, "x", seconds=2)')
    assert scenario.up().code == 0
    assert all("done" not in line for line in scenario.journal()[:3])
