"""Where the project and its test engine are, and copies of the project that touch no stack of the user's."""

import os
import shutil
import sys
from pathlib import Path

from sandbox.engine.stack.files import ROOT

TEST_ENGINE = ROOT / "sandbox" / "engine" / "bin"


class ProjectCopy:
    """The program in a folder of its own, with a backend of its own.

    Args:
        folder: Where both go.
        engine: Folder that comes first on PATH, with the `pulumi` to use; None for the one on PATH.

    Attributes:
        folder: Where the program is.
        env: Environment for the CLI, for `python -m infra.pulumi_cli` and for `piray`.
    """

    def __init__(self, folder: Path, engine: Path | None = None) -> None:
        self.folder = folder / "project"
        self.folder.mkdir(parents=True)
        for name in ["Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.local.yaml", "__main__.py"]:
            lines = (ROOT / name).read_text().splitlines(keepends=True)
            # Pulumi's own line, there after a first preview, binds the file to the user's passphrase.
            (self.folder / name).write_text("".join(x for x in lines if not x.startswith("encryptionsalt:")))
        for name in ["images", "infra", "workloads"]:
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (self.folder / ".venv").symlink_to(Path(sys.prefix))
        backend = folder / "backend"
        backend.mkdir()
        self.env = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            # Without it the CLI hides --event-log.
            "PULUMI_DEBUG_COMMANDS": "true",
            "PIRAY_ENGINE_STATE": str(backend),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        if engine is not None:
            self.env["PATH"] = os.pathsep.join([str(engine), self.env["PATH"]])
