"""Ray's runtime environment, as far as its text tells whether a cluster can make it. Pure.

https://docs.ray.io/en/latest/ray-core/handling-dependencies.html#api-reference
"""

import difflib
from collections.abc import Mapping
from types import NoneType
from typing import Any

from infra.config.problems import InvalidValueError

# RuntimeEnv.known_fields of Ray 2.60, without what is not for users.
_KEYS = (
    *("working_dir", "py_modules", "excludes", "pip", "uv", "conda", "env_vars", "config"),
    *("py_executable", "worker_process_setup_hook", "java_jars", "image_uri"),
)
_REMOTE = ("https://", "s3://", "gs://", "azure://", "abfss://")


def parse_runtime_env(value: object) -> dict[str, Any]:
    """Return a runtime environment.

    Raises:
        InvalidValueError: If it is none, or if only the machine of `make up` could make it.
    """
    if not isinstance(value, Mapping):
        raise InvalidValueError("must hold keys with values", "Write one `key: value` per line below it.")
    for key in value:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key).lower()[:64], _KEYS, n=1)
            raise InvalidValueError(
                f"has the key {str(key)[:64]}, which Ray does not know",
                f"Did you mean {near[0]}?" if near else f"Its keys are {', '.join(_KEYS)}.",
            )
    folders = [value.get("working_dir"), *(value.get("py_modules") or ())]
    for folder in folders:
        if isinstance(folder, str) and not folder.startswith(_REMOTE):
            raise InvalidValueError(
                f"names {folder[:80]}, which the cluster cannot fetch: it has no files of this machine",
                "Give the address of a zip archive, as in https://example.org/job.zip, or run the job with "
                "`piray submit --working-dir`.",
            )
    variables = value.get("env_vars") or {}
    if not isinstance(variables, Mapping) or any(
        isinstance(text, bool | int | float | list | Mapping | NoneType) for text in variables.values()
    ):
        raise InvalidValueError(
            "has env_vars that are no texts", 'Write each as `NAME: "value"`, numbers in quotes as well.'
        )
    return dict(value)
