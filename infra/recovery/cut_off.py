"""What a state says of operations that were cut off, and what they become so that the next run ends them.

The CLI itself warns of them at each `up`, and would have the user answer for each resource. Here it is known
what our resources bear: each step can run twice, and each object can be made twice.
https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go (DeploymentV3, OperationV2)
"""

import copy
import secrets
from collections.abc import Mapping
from typing import Any

_CUT_OFF = "the Pulumi CLI ended before this was done"
_IN_WORDS = {"creating": "making", "updating": "changing", "deleting": "removing"}


def cut_off_operations(state: Mapping[str, Any]) -> list[str]:
    """Return the operations that no run has ended, in words.

    Args:
        state: What `pulumi stack export` prints.
    """
    return [
        f"{_IN_WORDS.get(one['type'], one['type'])} {one['resource']['urn'].rsplit('::', 1)[-1]}"
        for one in _pending(state)
    ]


def outputs_of(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a stack's outputs; what is secret among them is still encrypted.

    Args:
        state: What `pulumi stack export` prints.
    """
    resources = (state.get("deployment") or {}).get("resources") or []
    stacks = [one for one in resources if one["type"] == "pulumi:pulumi:Stack"]
    return stacks[0].get("outputs") or {} if stacks else {}


def take_up(state: Mapping[str, Any], *, removing: bool) -> dict[str, Any]:
    """Return a state without operations that were cut off, from which the next run does them again.

    - A Command that was being made has done nobody knows what to its host. It is recorded as one that does
      not work yet: `up` runs it again, and `down`, or an `up` that no longer wants it, undoes it. Anything
      else that was being made is made again, and is then what it was (infra/objects/metadata.py).
    - What was being changed is changed again, even if the stack file is the old one again.
    - What was being removed is no longer what it was: `up` removes all of it, then makes it anew.

    Args:
        state: What `pulumi stack export` prints.
        removing: Whether the next run is a `down`.
    """
    result = copy.deepcopy(dict(state))
    deployment = result["deployment"]
    resources = deployment.setdefault("resources", [])
    live = {one["urn"]: one for one in resources if not one.get("delete")}
    for operation in _pending(result):
        resource = operation["resource"]
        known = live.get(resource["urn"])
        if operation["type"] == "creating" and known is None and resource["type"].startswith("command:"):
            resources.append(_half_made(resource))
        elif operation["type"] == "creating" and known is not None and removing:
            # Removed to be replaced, it would be forgotten without a look at what was put in its place.
            known.pop("pendingReplacement", None)
        elif operation["type"] == "updating" and known is not None:
            known["initErrors"] = [_CUT_OFF]
        elif operation["type"] == "deleting" and known is not None and not resource.get("delete"):
            known["taint"] = True
    deployment["pending_operations"] = []
    return result


def _pending(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (state.get("deployment") or {}).get("pending_operations") or []


def _half_made(resource: Mapping[str, Any]) -> dict[str, Any]:
    name = resource["urn"].rsplit("::", 1)[-1]
    # With another input than the program's, what the Command prints counts as unknown until it has run: in a
    # preview the program would take the empty text for it. What runs is the program's.
    inputs = {**resource.get("inputs", {}), "update": f"exit 1 # {_CUT_OFF}"}
    return {
        **resource,
        "id": f"{name}{secrets.token_hex(4)}",
        "inputs": inputs,
        "outputs": {**inputs, "stdout": "", "stderr": ""},
        "initErrors": [_CUT_OFF],
    }
