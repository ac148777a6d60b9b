"""Runtime environments: what one task needs and its cluster lacks, given with the task."""

import os
from importlib import metadata
from pathlib import Path

import ray

from workloads.driver.nodes import ANSWER_TIMEOUT_S
from workloads.driver.stage.stage import Stage

PACKAGE = "cowsay"
VERSION = "6.1"
# A node without internet is not to try for minutes.
PIP = {"packages": [f"{PACKAGE}=={VERSION}"], "pip_install_options": ["--retries=0", "--timeout=10"]}


@ray.remote(num_cpus=1)
def look() -> tuple[str, str | None, str, bool]:
    """Return the node, a variable, the working directory, and whether it has a file named hosts."""
    node_id = str(ray.get_runtime_context().get_node_id())
    return node_id, os.environ.get("GREETING"), os.getcwd(), Path("hosts").exists()


@ray.remote(num_cpus=1)
def version_of(package: str) -> tuple[str, str | None]:
    """Return the node, and the version of a package there; None if it is not installed."""
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        version = None
    return str(ray.get_runtime_context().get_node_id()), version


def show(stage: Stage) -> None:
    """Run the same functions as they are, and with an environment of their own."""
    node_id, greeting, folder, _ = ray.get(look.remote(), timeout=ANSWER_TIMEOUT_S)
    stage.say(f"As it is:          on {stage.host(node_id)} GREETING is {greeting}, in {folder}")

    # Variables come into the worker process before the task starts. A working directory is one that every
    # node has (local://), or an archive at a URL. A folder of your own computer goes with a whole job:
    # ray.init(runtime_env={"working_dir": "."}).
    wanted = {"env_vars": {"GREETING": "hello"}, "working_dir": "local:///etc"}
    changed = look.options(runtime_env=wanted)
    node_id, greeting_there, folder, found = ray.get(changed.remote(), timeout=ANSWER_TIMEOUT_S)
    stage.say(f"With what it asks: on {stage.host(node_id)} GREETING is {greeting_there}, in {folder}")
    stage.check(
        "only the task that asked for the variable has it", (greeting, greeting_there) == (None, "hello")
    )
    stage.check("its working directory has the file that it opens by name alone", found)

    # pip makes a virtual environment for the task, on the node where it runs. The next task that asks for
    # the same finds it there.
    node_id, before = ray.get(version_of.remote(PACKAGE), timeout=ANSWER_TIMEOUT_S)
    stage.say(f"As it is:          on {stage.host(node_id)} {PACKAGE} is {before or 'not installed'}")
    try:
        asked = version_of.options(runtime_env={"pip": PIP}).remote(PACKAGE)
        node_id, after = ray.get(asked, timeout=ANSWER_TIMEOUT_S)
        stage.say(f"With pip:          on {stage.host(node_id)} {PACKAGE} is {after}")
        stage.check("only the task that asked for the package has it", (before, after) == (None, VERSION))
    except ray.exceptions.RuntimeEnvSetupError as error:
        # The environment could not be made, so the task was never started: that is what Ray says then.
        reasons = [line.strip() for line in str(error).splitlines() if "ERROR:" in line]
        stage.say(f"With pip:          the task did not start: {(reasons or ['no reason given'])[-1]}")
        stage.say("This cluster cannot install packages: it has no way to an index, or none is allowed.")

    stage.list("tasks", count=3, name=["look", "version_of"])
