"""A mirror on loopback, and a host that k3s.sh installs from it."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from infra.k3s.component import INSTALL_FILES, REGISTRY_CA_FILE
from infra.k3s.config_files import render_agent_config, render_registry_entries, render_server_config
from infra.k3s.release import image_archive_name, images_name, k3s_release
from tests.infra.fake_host import FakeHost, make_host

VERSION = "v1.36.5+k3s1"
NEWER = "v1.37.1+k3s1"
IMAGES = images_name("arm64")
IMAGE = "registry.example/ray:1"
# Nobody listens on the port for discarding.
UNREACHABLE = "http://127.0.0.1:9/"
AGENT_TOKEN = f"K10{'a' * 64}::node:agent-secret"
SERVER_CONFIG = render_server_config("pi2", "198.51.100.2", ["198.51.100.2"])
AGENT_CONFIG = render_agent_config("pi2", "198.51.100.2", join="198.51.100.1", token=AGENT_TOKEN)

# Answers like k3s; `exit` lines keep the file a text that can be told apart by version.
BINARY = '#!/bin/bash\n# {version}\necho "k3s $*" >>"$FAKE/calls"\n[ ! -e "$FAKE/not-ready" ]\n'
# Keeps to the contract of the official script: environment in, unit and uninstall script out.
INSTALL_SCRIPT = """#!/bin/sh
set -e
[ "$INSTALL_K3S_SKIP_DOWNLOAD $INSTALL_K3S_SKIP_START" = "true true" ]
[ -x "$INSTALL_K3S_BIN_DIR/k3s" ]
[ ! -e "$FAKE/install-fails" ] || { echo "[ERROR] the card is read-only"; exit 1; }
name=k3s; [ "$INSTALL_K3S_EXEC" = server ] || name=k3s-$INSTALL_K3S_EXEC
env | grep -E '^(K3S|CONTAINERD)_' >"$FAKE/environment" || :
echo "install $name" >>"$FAKE/calls"
echo "[Unit]" >"$INSTALL_K3S_SYSTEMD_DIR/$name.service"
: >"$INSTALL_K3S_SYSTEMD_DIR/$name.service.env"
for command in kubectl crictl ctr; do ln -sf k3s "$INSTALL_K3S_BIN_DIR/$command"; done
cat >"$INSTALL_K3S_BIN_DIR/$name-uninstall.sh" <<END
#!/bin/sh
echo "uninstall $name" >>"$FAKE/calls"
rm -rf $INSTALL_K3S_SYSTEMD_DIR/$name.service* $INSTALL_K3S_BIN_DIR/k3s
rm -f $INSTALL_K3S_BIN_DIR/kubectl $INSTALL_K3S_BIN_DIR/crictl $INSTALL_K3S_BIN_DIR/ctr
rm -rf $INSTALL_K3S_SYSTEMD_DIR/../../rancher/k3s
rm -f $INSTALL_K3S_BIN_DIR/$name-uninstall.sh
END
chmod 755 "$INSTALL_K3S_BIN_DIR/$name-uninstall.sh"
"""


@dataclass
class Mirror:
    """A directory laid out as the releases are, served on loopback; directory names hold a literal +."""

    folder: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)
    cut: str = ""
    hub: bool = False

    def publish(self, version: str) -> None:
        """Add a release; of its archives of images the mirror has one, though the list has all three."""
        directory = self.folder / version
        directory.mkdir()
        binary, images = BINARY.format(version=version).encode(), images_of(version)
        (directory / "k3s-arm64").write_bytes(binary)
        (directory / f"{IMAGES}.zst").write_bytes(images)
        other = "0" * 64
        sums = {
            IMAGES: other,
            f"{IMAGES}.gz": other,
            f"{IMAGES}.zst": sha256(images),
            "k3s-arm64": sha256(binary),
            "k3s-arm64-other": other,
        }
        lines = [f"{digest}  {name}\n" for name, digest in sums.items()]
        (directory / "sha256sum-arm64.txt").write_text("".join(lines))

    def publish_image(self, name: str, content: bytes) -> None:
        """Add an archive of another image."""
        folder = self.folder / "images"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        with (folder / "sha256sum-arm64.txt").open("a") as sums:
            sums.write(f"{sha256(content)}  {name}\n")


def images_of(version: str) -> bytes:
    """Return what stands for the release's archive of images."""
    return f"images of {version}".encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def served(folder: Path) -> Iterator[Mirror]:
    """Serve a mirror with two releases on loopback."""
    mirror = Mirror(folder)
    mirror.folder.mkdir()
    (mirror.folder / "install.sh").write_text(INSTALL_SCRIPT)

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if not (mirror.cut and self.path.endswith(mirror.cut)):
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"#!/bin/bash\nexit 0\n")

        def log_message(self, format: str, *args: object) -> None:
            mirror.requests.append(self.path)

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(mirror.folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}"
    mirror.publish(VERSION)
    mirror.publish(NEWER)
    try:
        yield mirror
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def k3s_host(folder: Path, *, v2: bool = True) -> FakeHost:
    host = make_host(folder, v2=v2)
    host.program("journalctl", 'cat "$FAKE/journal" 2>/dev/null')
    host.program("sleep", "exec /bin/sleep 0.1")
    # The server that a host joins is nowhere; what it would answer is in a file.
    answer = 'while [ "$1" != --dump-header ]; do shift; done; cat "$FAKE/server-answer" >"$2" 2>/dev/null'
    curl = f'case "$*" in *:6443/*) {answer}; exit 7 ;; esac; exec {shutil.which("curl")} "$@"'
    (host.fake / "bin/curl").write_text(f"#!/bin/bash\n{curl}\n")
    (host.fake / "bin/curl").chmod(0o755)
    return host


def install(
    host: FakeHost,
    mirror: Mirror,
    *,
    role: str = "server",
    version: str = VERSION,
    config: str | None = None,
    action: str = "apply",
    install_sha256: str | None = None,
    image: str = IMAGE,
    wait_s: str = "2",
    refused_s: str = "0",
    registry: str = "",
    ca: str = "",
) -> subprocess.CompletedProcess[bytes]:
    release = k3s_release(version, "arm64", mirror.url)
    if config is None:
        config = SERVER_CONFIG if role == "server" else AGENT_CONFIG
    return host.run(
        INSTALL_FILES,
        action,
        ROLE=role,
        VERSION=release.version,
        BINARY_NAME=release.binary_name,
        BINARY_URL=release.binary_url,
        SUMS_URL=release.sums_url,
        INSTALL_SCRIPT_URL=release.install_script_url,
        INSTALL_SCRIPT_SHA256=install_sha256 or hashlib.sha256(INSTALL_SCRIPT.encode()).hexdigest(),
        IMAGES_URL=release.images_url or "",
        IMAGE_SUMS_URL=release.image_sums_url or "",
        IMAGE_ARCHIVES=" ".join(map(image_archive_name, image.split())),
        HUB_URL=f"{mirror.url}/v2/" if mirror.hub else UNREACHABLE,
        **registry_variables(registry or IMAGE.partition("/")[0], plain_http=bool(registry), ca=ca),
        CONFIG=config,
        MAKE_TOKENS="1" if role == "server" and "server:" not in config else "0",
        WAIT_S=wait_s,
        REFUSED_S=refused_s,
        STABLE_S="0",
    )


def registry_variables(registry: str, *, plain_http: bool, ca: str) -> dict[str, str]:
    ca_file = REGISTRY_CA_FILE if ca else None
    mirror, config = render_registry_entries(registry, plain_http=plain_http, ca_file=ca_file)
    needed = "1" if plain_http or ca else "0"
    return {
        "REGISTRY": registry,
        "REGISTRY_MIRROR": mirror,
        "REGISTRY_CONFIG": config,
        "REGISTRY_NEEDED": needed,
        "REGISTRY_CA": ca,
    }


def refusal(result: subprocess.CompletedProcess[bytes]) -> str:
    assert result.returncode == 1
    assert result.stdout == b""
    text = result.stderr.decode()
    assert "piray: pi2: " in text
    return text


def tokens(host: FakeHost) -> list[str]:
    lines = host.read("etc/rancher/k3s/config.yaml").splitlines()
    return [line.split('"')[1] for line in lines if line.startswith(("token:", "agent-token:"))]
