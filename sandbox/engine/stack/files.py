"""Reads a project's files as Pulumi's engine does."""

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]


def project_file(folder: Path = ROOT) -> dict[str, Any]:
    """Return the contents of a project's Pulumi.yaml."""
    contents = yaml.safe_load((folder / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert isinstance(contents, dict)
    return contents


def stack_file(folder: Path, stack: str) -> Path:
    """Return where a project keeps the configuration of one of its stacks."""
    return folder / f"Pulumi.{stack}.yaml"


def engine_text(value: object) -> str:
    """Render one config value as the engine hands it to a program: text as it is, all else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def stack_config(name: str, folder: Path = ROOT) -> dict[str, str]:
    """Return the config of one stack, namespaced, for `pulumi.runtime.set_all_config`.

    Args:
        name: Stack name; "dev" reads Pulumi.dev.yaml.
        folder: The project's folder.

    Raises:
        ValueError: If the file holds an encrypted value, which only the engine can read.
    """
    texts = {key: engine_text(value) for key, value in merged_config(name, folder).items()}
    encrypted = [key for key, text in texts.items() if '"secure":' in text]
    if encrypted:
        raise ValueError(f"Pulumi.{name}.yaml holds encrypted values that a test cannot read: {encrypted}")
    return texts


def merged_config(name: str, folder: Path = ROOT) -> dict[str, object]:
    """Return the config of one stack as its files have it, namespaced.

    Values of the stack file win over the defaults and values of Pulumi.yaml, as in the engine.

    Args: as for stack_config.
    """
    project = project_file(folder)
    stack = yaml.safe_load(stack_file(folder, name).read_text(encoding="utf-8"))
    merged: dict[str, object] = {}
    for key, schema in project.get("config", {}).items():
        full_key = key if ":" in key else f"{project['name']}:{key}"
        if not isinstance(schema, dict):
            merged[full_key] = schema
        elif "default" in schema or "value" in schema:
            merged[full_key] = schema.get("default", schema.get("value"))
    merged.update(stack.get("config") or {})
    return merged
