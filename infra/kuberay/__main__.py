"""`python -m infra.kuberay ACTION`, which Pulumi runs on the user's machine; reads a Task from stdin."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from infra.api_server import ApiError, ApiServer
from infra.kuberay.definitions import (
    DefinitionsError,
    apply_definitions,
    cache_folder,
    definition,
    remove_definitions,
)
from infra.kuberay.removal import make_room, remove, remove_all
from infra.kuberay.task import Task
from infra.kuberay.watch.clusters import judge_cluster
from infra.kuberay.watch.jobs import judge_job, summary
from infra.kuberay.watch.look import look
from infra.kuberay.watch.loop import WatchError, watch
from infra.kuberay.watch.services import judge_service
from infra.kuberay.watch.verdict import Sight, Verdict

_CALL_S = 30.0


def define(server: ApiServer, task: Task) -> None:
    """Make the definitions of the custom resources."""
    folder = cache_folder(os.environ)
    texts = {
        file: definition(f"{task.definitions_url}/{file}", sha256, folder)
        for file, sha256 in task.definitions.items()
    }
    apply_definitions(server, texts)


def undefine(server: ApiServer, task: Task) -> None:
    """Remove the definitions, and before that what there is of custom resources: only a user's are left."""
    for line in remove_all(server, task.namespace, task.operator):
        print(f"{line} was still there and is removed", file=sys.stderr)
    remove_definitions(server, task.definitions)


def room(server: ApiServer, task: Task) -> None:
    """Remove the Ray pods of the other mode."""
    for line in make_room(server, task.namespace, task.mode, task.operator):
        print(f"{line} is removed: Ray runs otherwise now", file=sys.stderr)


def await_resource(server: ApiServer, task: Task) -> Mapping[str, Any]:
    """Wait until a custom resource is what was declared, and return what it has become."""
    judges: dict[str, Callable[[Sight], Verdict]] = {
        "RayCluster": partial(judge_cluster, revision=task.revision, least=task.least),
        "RayJob": judge_job,
        "RayService": judge_service,
    }
    if task.kind not in judges:
        return {}
    answer = watch(partial(look, server, task), judges[task.kind], task.limit_s)
    if answer is not None:
        return answer
    if task.kind == "RayJob":
        return summary(look(server, task).live)
    raise WatchError(f"it takes longer than {task.limit_s:.0f} s, and nothing says why; run make up again")


def remove_resource(server: ApiServer, task: Task) -> None:
    """Remove a custom resource, also when the operator is gone."""
    remove(server, task.kind, task.namespace, task.name, task.operator)


_ACTIONS: dict[str, Callable[[ApiServer, Task], Mapping[str, Any] | None]] = {
    "define": define,
    "undefine": undefine,
    "room": room,
    "await": await_resource,
    "remove": remove_resource,
}


def main(arguments: list[str]) -> int:
    """Run one action, which may have a mode after it; return the exit code."""
    task = replace(Task.from_json(sys.stdin.read()), mode="".join(arguments[1:]))
    try:
        answer = _ACTIONS[arguments[0]](ApiServer(task.kubeconfig, _CALL_S), task)
    except KeyboardInterrupt:
        print("interrupted; run it again to go on", file=sys.stderr)
        return 130
    except (ApiError, DefinitionsError, WatchError) as error:
        what = f"{task.kind} {task.name}: " if task.name else ""
        print(f"{what}{error}", file=sys.stderr)
        return 1
    if answer is not None:
        print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
