"""KubeRay's release for the sandbox: the operator's image for the registry, the definitions for the mirror.

It is the real program, from its Go module: a machine that reaches Go's modules may reach neither quay.io nor
GitHub. Two things differ from https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/Dockerfile:
there is nothing in the image besides the program, and that was built without C.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path

from sandbox.images.registry import PORT, pushed
from sandbox.machine.cache import cached
from sandbox.machine.docker import GATEWAY, Docker
from sandbox.machine.go import go_build, go_version
from sandbox.machine.process import SandboxError, run

MODULE = "github.com/ray-project/kuberay/ray-operator"
FOLDER = Path(__file__).parent
# Parts of the release's directory.
STORE, MIRROR = "store", "mirror"

_REPOSITORY = "kuberay/operator"
_DEFINITIONS = "config/crd/bases"
_BUILT = "kuberay-operator:sandbox"
_DOCKERFILE = """\
FROM scratch
COPY manager /manager
USER 65532:65532
ENTRYPOINT ["/manager"]
"""


def kuberay_release(docker: Docker) -> Path:
    """Return a directory with the store of a registry, and a part of a mirror.

    Args:
        docker: Makes the image, if it has not been made before: about 3 minutes with two cores.

    Raises:
        SandboxError: If there is no Go that can build the operator, or the build fails.
    """

    def make(folder: Path) -> None:
        copy_definitions(folder / MIRROR)
        (folder / STORE).mkdir()
        _push_image(docker, folder / STORE)

    sources = [FOLDER / "go.mod", FOLDER / "go.sum"]
    return cached("kuberay", [Path(__file__), *sources, go_version(FOLDER)], make)


def version() -> str:
    """Return the version of KubeRay, e.g. "v1.6.2"."""
    file = FOLDER / "go.mod"
    found = re.search(rf"^\s*{re.escape(MODULE)} (v\S+)", file.read_text(), re.MULTILINE)
    if found is None:
        raise SandboxError(f"{file} has no line `{MODULE} VERSION`; restore the file")
    return found[1]


def operator_image() -> str:
    """Return the name of the operator's image, as the hosts pull it."""
    return f"{GATEWAY}:{PORT}/{_REPOSITORY}:{version()}"


def copy_definitions(mirror: Path) -> None:
    """Copy the definitions of KubeRay's resources to where a stack looks for them on a mirror.

    Args:
        mirror: Directory of the mirror.
    """
    module = Path(json.loads(run("go", "mod", "download", "-json", MODULE, cwd=FOLDER))["Dir"])
    target = mirror / "kuberay" / version()
    target.mkdir(parents=True)
    for file in sorted((module / _DEFINITIONS).glob("*.yaml")):
        shutil.copyfile(file, target / file.name)


def _push_image(docker: Docker, store: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="piray-kuberay-") as name:
        go_build(FOLDER, MODULE, Path(name) / "manager")
        (Path(name) / "Dockerfile").write_text(_DOCKERFILE)
        docker("build", "--quiet", f"--tag={_BUILT}", name)
    with pushed(store) as host:
        image = f"{host}/{_REPOSITORY}:{version()}"
        docker("tag", _BUILT, image)
        docker("push", "--quiet", image)
    docker("rmi", "--force", image, _BUILT)
