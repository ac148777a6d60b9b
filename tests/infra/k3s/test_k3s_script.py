"""k3s.sh on fake hosts with a mirror on loopback: what it downloads, checks, writes, restarts and removes."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from infra.hosts.check_list import PREPARE
from infra.k3s.config_files import render_agent_config, render_server_config
from infra.k3s.release import k3s_release
from tests.infra.fake_host import FakeHost, contents, make_host

SCRIPTS = ["remote/remove_k3s.sh", "k3s/k3s.sh"]
VERSION = "v1.36.3+k3s1"
NEWER = "v1.36.4+k3s1"
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

    def publish(self, version: str, *, arch: str = "arm64", name: str = "k3s-arm64") -> str:
        binary = BINARY.format(version=version).encode()
        directory = self.folder / version
        directory.mkdir()
        (directory / name).write_bytes(binary)
        digest = hashlib.sha256(binary).hexdigest()
        other = "0" * 64
        sums = f"{other}  k3s-airgap-images-{arch}.tar\n{digest}  {name}\n{other}  {name}-other\n"
        (directory / f"sha256sum-{arch}.txt").write_text(sums)
        return digest


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "mirror")
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
    yield mirror
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    return k3s_host(tmp_path / "host")


def k3s_host(folder: Path, *, v2: bool = True) -> FakeHost:
    host = make_host(folder, v2=v2)
    host.program("journalctl", 'cat "$FAKE/journal" 2>/dev/null')
    host.program("sleep", "exec /bin/sleep 0.1")
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
) -> subprocess.CompletedProcess[bytes]:
    release = k3s_release(version, "arm64", mirror.url)
    if config is None:
        config = SERVER_CONFIG if role == "server" else AGENT_CONFIG
    return host.run(
        SCRIPTS,
        action,
        ROLE=role,
        VERSION=release.version,
        BINARY_NAME=release.binary_name,
        BINARY_URL=release.binary_url,
        SUMS_URL=release.sums_url,
        INSTALL_SCRIPT_URL=release.install_script_url,
        INSTALL_SCRIPT_SHA256=install_sha256 or hashlib.sha256(INSTALL_SCRIPT.encode()).hexdigest(),
        CONFIG=config,
        MAKE_TOKENS="1" if role == "server" and "server:" not in config else "0",
        WAIT_S="2",
        STABLE_S="0",
    )


def refusal(result: subprocess.CompletedProcess[bytes]) -> str:
    assert result.returncode == 1
    assert result.stdout == b""
    text = result.stderr.decode()
    assert "piray: pi2: " in text
    return text


def tokens(host: FakeHost) -> list[str]:
    lines = host.read("etc/rancher/k3s/config.yaml").splitlines()
    return [line.split('"')[1] for line in lines if line.startswith(("token:", "agent-token:"))]


def restarts(host: FakeHost) -> int:
    return sum(call.startswith("systemctl restart") for call in host.calls())


@pytest.mark.parametrize("role", ["server", "agent"])
def test_install_twice_then_undo_leaves_the_host_as_before(host: FakeHost, mirror: Mirror, role: str) -> None:
    fresh = contents(host.root)
    first = install(host, mirror, role=role)
    assert first.returncode == 0, first.stderr.decode()
    unit = "k3s" if role == "server" else "k3s-agent"
    assert json.loads(first.stdout) == {
        "version": VERSION,
        "sha256": hashlib.sha256(BINARY.format(version=VERSION).encode()).hexdigest(),
    }
    assert f"systemctl restart --no-block {unit}" in host.calls()

    installed, requests, calls = contents(host.root, times=True), list(mirror.requests), restarts(host)
    second = install(host, mirror, role=role)
    assert second.stdout == first.stdout
    assert contents(host.root, times=True) == installed
    assert mirror.requests == requests
    assert restarts(host) == calls

    host.write("etc/rancher/node/password", "of the node")
    host.write("var/log/pods/ray_ray-head/0.log", "of a pod")
    host.write("var/log/containers/ray-head.log", "of a pod")
    assert install(host, mirror, role=role, action="undo").returncode == 0
    assert f"uninstall {unit}" in host.calls()
    assert contents(host.root) == fresh
    assert install(host, mirror, role=role, action="undo").returncode == 0
    assert contents(host.root) == fresh


def test_a_host_with_cgroup_version_1_lets_the_kubelet_start(tmp_path: Path, mirror: Mirror) -> None:
    """Kubernetes 1.35 and later refuse it by default, and the rest of the config stays as it is."""
    texts = {}
    for v2 in (True, False):
        host = k3s_host(tmp_path / str(v2), v2=v2)
        assert install(host, mirror).returncode == 0
        texts[v2] = host.read("etc/rancher/k3s/config.yaml")
    old = yaml.safe_load(texts[False])
    assert old.pop("kubelet-arg") == ["fail-cgroupv1=false"]
    assert old.keys() == yaml.safe_load(texts[True]).keys()


def test_pods_talk_over_the_interface_that_has_the_address_whatever_the_default_route(
    tmp_path: Path, mirror: Mirror
) -> None:
    host = k3s_host(tmp_path)
    (host.fake / "addresses").write_text(
        "2: wlan0 inet 192.0.2.7/24 scope global wlan0\n3: eth0 inet 198.51.100.2/24 scope global eth0\n"
    )
    (host.fake / "routes").write_text("default via 192.0.2.1 dev wlan0\n")
    assert install(host, mirror).returncode == 0
    assert yaml.safe_load(host.read("etc/rancher/k3s/config.yaml"))["flannel-iface"] == "eth0"


def test_k3s_uses_its_own_iptables_where_the_host_has_a_broken_one(tmp_path: Path, mirror: Mirror) -> None:
    configs = {}
    for version in ("1.8.2", "1.8.9"):
        host = k3s_host(tmp_path / version)
        host.program("iptables", f"echo 'iptables v{version} (nf_tables)'")
        assert install(host, mirror).returncode == 0
        configs[version] = yaml.safe_load(host.read("etc/rancher/k3s/config.yaml"))
    assert configs["1.8.2"].get("prefer-bundled-bin") is True
    assert "prefer-bundled-bin" not in configs["1.8.9"]


def test_config_is_for_root_alone_and_says_who_owns_it(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    file = host.root / "etc/rancher/k3s/config.yaml"
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert file.read_text().startswith("# Managed by Pulumi; edits are overwritten.\n")
    file.chmod(0o644)
    install(host, mirror)
    assert oct(file.stat().st_mode & 0o777) == "0o600"


def test_the_first_server_makes_its_tokens_once_and_tells_nobody(host: FakeHost, mirror: Mirror) -> None:
    first = install(host, mirror)
    made = tokens(host)
    assert len(set(made)) == 2
    assert all(len(token) == 64 for token in made)
    second = install(host, mirror, config=SERVER_CONFIG.replace("servicelb", "local-storage"))
    assert second.returncode == 0
    assert tokens(host) == made
    assert "local-storage" in host.read("etc/rancher/k3s/config.yaml")
    everything = b"".join([first.stdout, first.stderr, second.stdout, second.stderr]).decode()
    state = host.read("var/lib/piray/k3s")
    for token in made:
        assert token not in everything + state + "\n".join(host.calls())


def test_tokens_of_a_lost_config_come_back_from_the_server(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    made = tokens(host)
    for name, user, token in zip(("token", "agent-token"), ("server", "node"), made, strict=True):
        host.write(f"var/lib/rancher/k3s/server/{name}", f"K10{'c' * 64}::{user}:{token}\n")
    (host.root / "etc/rancher/k3s/config.yaml").unlink()
    assert install(host, mirror).returncode == 0
    assert tokens(host) == made


def test_a_joining_host_gets_its_config_as_it_is(host: FakeHost, mirror: Mirror) -> None:
    result = install(host, mirror, role="agent")
    assert host.read("etc/rancher/k3s/config.yaml") == AGENT_CONFIG + 'flannel-iface: "eth0"\n'
    assert b"agent-secret" not in result.stdout + result.stderr
    assert "agent-secret" not in "\n".join(host.calls()) + host.read("var/lib/piray/k3s")


def test_a_changed_config_restarts_without_a_download(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror, role="agent")
    requests, before = len(mirror.requests), restarts(host)
    install(host, mirror, role="agent", config=AGENT_CONFIG.replace("198.51.100.1", "198.51.100.9"))
    assert restarts(host) == before + 1
    assert len(mirror.requests) == requests


def test_a_new_version_replaces_the_binary_and_restarts(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    before = restarts(host)
    result = install(host, mirror, version=NEWER)
    assert json.loads(result.stdout)["version"] == NEWER
    assert NEWER in host.read("usr/local/bin/k3s")
    assert restarts(host) == before + 1


def test_a_right_binary_that_is_there_already_is_not_downloaded(host: FakeHost, mirror: Mirror) -> None:
    file = host.write("usr/local/bin/k3s", BINARY.format(version=VERSION))
    file.chmod(0o755)
    assert install(host, mirror).returncode == 0
    assert not [path for path in mirror.requests if path.endswith("/k3s-arm64")]


def test_a_binary_changed_by_somebody_else_is_put_right(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    host.write("usr/local/bin/k3s", "#!/bin/bash\n# something else\n")
    assert install(host, mirror).returncode == 0
    assert VERSION in host.read("usr/local/bin/k3s")


def test_a_wrong_sum_names_both_and_replaces_nothing(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    (mirror.folder / NEWER / "k3s-arm64").write_bytes(b"half a file")
    before = {path: what for path, what in contents(host.root, times=True).items() if "bin" in path}
    text = refusal(install(host, mirror, version=NEWER))
    assert hashlib.sha256(b"half a file").hexdigest() in text
    assert hashlib.sha256(BINARY.format(version=NEWER).encode()).hexdigest() in text
    assert {path: what for path, what in contents(host.root, times=True).items() if "bin" in path} == before


def test_a_download_that_breaks_off_leaves_nothing_behind(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror)
    before = {path: what for path, what in contents(host.root, times=True).items() if "bin" in path}
    mirror.cut = "/k3s-arm64"
    text = refusal(install(host, mirror, version=NEWER))
    assert f"cannot download {mirror.url}/v1.36.4%2Bk3s1/k3s-arm64" in text
    assert {path: what for path, what in contents(host.root, times=True).items() if "bin" in path} == before
    mirror.cut = ""
    assert install(host, mirror, version=NEWER).returncode == 0


def test_a_sum_file_without_the_binary_is_refused(host: FakeHost, mirror: Mirror) -> None:
    (mirror.folder / VERSION / "sha256sum-arm64.txt").write_text("0  k3s-arm64\n")
    assert "has no sum for k3s-arm64" in refusal(install(host, mirror))


def test_a_release_that_is_not_there_is_named(host: FakeHost, mirror: Mirror) -> None:
    text = refusal(install(host, mirror, version="v1.99.0+k3s1"))
    assert "v1.99.0%2Bk3s1/sha256sum-arm64.txt" in text
    assert "404" in text
    assert "piray:k3s.version" in text


def test_a_stranger_install_script_is_never_run(host: FakeHost, mirror: Mirror) -> None:
    text = refusal(install(host, mirror, install_sha256="1" * 64))
    assert hashlib.sha256(INSTALL_SCRIPT.encode()).hexdigest() in text
    assert "1" * 64 in text
    assert not [call for call in host.calls() if call.startswith("install")]


def test_a_failed_install_script_is_quoted_and_run_again_next_time(host: FakeHost, mirror: Mirror) -> None:
    fresh = contents(host.root)
    (host.fake / "install-fails").touch()
    assert "the card is read-only" in refusal(install(host, mirror))
    (host.fake / "install-fails").unlink()
    assert install(host, mirror).returncode == 0
    assert install(host, mirror, action="undo").returncode == 0
    assert contents(host.root) == fresh


def test_an_install_that_ended_half_way_is_removed_by_undo_of_the_host(
    host: FakeHost, mirror: Mirror
) -> None:
    fresh = contents(host.root)
    (host.fake / "install-fails").touch()
    install(host, mirror)
    assert contents(host.root) != fresh
    assert host.run(PREPARE, "undo", ARCH="arm64").returncode == 0
    assert contents(host.root) == fresh


def test_variables_of_k3s_in_the_environment_do_not_reach_the_service(
    host: FakeHost, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    bash = host.fake / "bin" / "bash"
    bash.write_text('#!/bin/sh\nexport K3S_TOKEN=stray CONTAINERD_LOG_LEVEL=stray\nexec /bin/bash "$@"\n')
    bash.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bash.parent}:/usr/bin:/bin")
    assert install(host, mirror).returncode == 0
    assert (host.fake / "environment").read_text() == ""


@pytest.mark.parametrize("role", ["server", "agent"])
def test_a_service_that_does_not_come_up_is_told_with_its_journal_and_without_tokens(
    host: FakeHost, mirror: Mirror, role: str
) -> None:
    unit = "k3s" if role == "server" else "k3s-agent"
    (host.fake / "broken" / unit).touch()
    (host.fake / "journal").write_text("level=fatal msg=no route\ntoken K10::node:agent-secret refused\n")
    text = refusal(install(host, mirror, role=role))
    assert "level=fatal msg=no route" in text
    assert f"{unit} does not run after 2 s" in text
    if role == "agent":
        assert "agent-secret" not in text
    (host.fake / "broken" / unit).unlink()
    before = restarts(host)
    assert install(host, mirror, role=role).returncode == 0
    assert restarts(host) == before + 1


def test_a_server_whose_api_is_not_ready_does_not_count_as_running(host: FakeHost, mirror: Mirror) -> None:
    (host.fake / "not-ready").touch()
    assert "does not run" in refusal(install(host, mirror))


def test_a_card_that_had_another_password_gets_the_right_remedy(host: FakeHost, mirror: Mirror) -> None:
    (host.fake / "broken" / "k3s-agent").touch()
    (host.fake / "journal").write_text("Node password rejected, duplicate hostname\n")
    assert "k3s kubectl delete node pi2" in refusal(install(host, mirror, role="agent"))


def test_a_k3s_of_somebody_else_is_not_taken_over_and_not_removed(host: FakeHost, mirror: Mirror) -> None:
    host.write("etc/systemd/system/k3s.service", "[Unit]\n")
    host.write("usr/local/bin/k3s", "#!/bin/sh\n")
    before = contents(host.root, times=True)
    assert "not by this program" in refusal(install(host, mirror, role="agent"))
    assert install(host, mirror, role="agent", action="undo").returncode == 0
    assert contents(host.root, times=True) == before


def test_a_full_card_is_refused_before_anything_is_written(host: FakeHost, mirror: Mirror) -> None:
    host.program("df", 'printf "Filesystem 1024-blocks Used Available\\n/dev/root 1 1 1048000\\n"')
    before = contents(host.root, times=True)
    text = refusal(install(host, mirror))
    assert "1023 MiB free" in text
    assert contents(host.root, times=True) == before
    assert mirror.requests == []


def test_a_step_waits_for_one_that_is_still_at_work(host: FakeHost, mirror: Mirror) -> None:
    """A connection that breaks leaves its script running: the next one must not meet it half-way."""
    host.program("curl", '[ -e "$FAKE/ended" ] || echo early >>"$FAKE/calls"\nexec /usr/bin/curl "$@"')
    other = ["flock", str(host.root / "run"), "sh", "-c", f"echo held; sleep 1; touch {host.fake}/ended"]
    with subprocess.Popen(other, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert install(host, mirror).returncode == 0
    assert "early" not in host.calls()


def test_a_step_that_waited_for_another_one_in_vain_says_so(host: FakeHost, mirror: Mirror) -> None:
    with subprocess.Popen(["flock", str(host.root / "run"), "sleep", "20"]) as process:
        try:
            host.program("flock", "exit 1")
            said = refusal(install(host, mirror))
        finally:
            process.terminate()
    assert "an earlier step of piray is still at work" in said
    assert "sudo pkill" in said
    assert not (host.root / "etc/rancher").exists()
