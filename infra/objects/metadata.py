"""What every Kubernetes object of the program has in common: a name known beforehand, and who manages it.

An `up` that is cut off between the making of an object and the note of it in the state makes the object
again. Under a name that Pulumi draws, the first one would stay beside the second for ever; with the same name
and the same field manager, the second is the first. Imports no pulumi.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# Drawn at random for each object otherwise: an object that is made twice would have two, and no field that
# the second one gives up would ever go.
# https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/provider.go (fieldManagerName)
_FIELD_MANAGER_ANNOTATION = "pulumi.com/patchFieldManager"
FIELD_MANAGER = "piray"

_DIGEST_CHARACTERS = 8


def metadata(
    name: Any,
    namespace: Any = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the metadata of an object.

    Args:
        name: Its name; text or what will become text.
        namespace: Its Namespace, if it is in one; text or what will become text.
        labels: Its labels.
        annotations: Its annotations besides the manager's.
    """
    result: dict[str, Any] = {"name": name}
    if namespace is not None:
        result["namespace"] = namespace
    if labels:
        result["labels"] = dict(labels)
    result["annotations"] = {_FIELD_MANAGER_ANNOTATION: FIELD_MANAGER, **(annotations or {})}
    return result


def name_by_content(name: str, content: object) -> str:
    """Return a name for an object that cannot be changed: other content is another object.

    Args:
        name: What the object is.
        content: All that tells two such objects apart, as JSON can hold it.
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]}"
