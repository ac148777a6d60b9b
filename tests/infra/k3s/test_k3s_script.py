"""k3s.sh on fake hosts with a mirror on loopback: what it downloads, checks, writes, restarts and removes."""

import hashlib
import json
import re
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from infra.hosts.check_list import PREPARE
from tests.infra.fake_host import FakeHost, contents
from tests.infra.k3s.mirror import (
    AGENT_CONFIG,
    BINARY,
    INSTALL_SCRIPT,
    NEWER,
    SERVER_CONFIG,
    VERSION,
    Mirror,
    install,
    k3s_host,
    refusal,
    tokens,
)


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
    assert set(mirror.requests[len(requests) :]) == {"/images/sha256sum-arm64.txt"}
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


@pytest.mark.parametrize("date", ["Thu, 05 Nov 2020 08:49:37 GMT", "Sat, 05 Nov 2050 08:49:37 GMT"])
def test_a_host_whose_clock_is_not_that_of_the_server_is_refused_before_anything_is_installed(
    tmp_path: Path, mirror: Mirror, date: str
) -> None:
    host = k3s_host(tmp_path)
    fresh = contents(host.root)
    (host.fake / "server-answer").write_text(f"HTTP/1.1 401 Unauthorized\r\nDate: {date}\r\n\r\n")
    text = refusal(install(host, mirror, role="agent"))
    assert f"the server 198.51.100.1 says {date[12:16]}-11-05 08:49:37" in text
    assert "certificates go by the clock" in text
    assert "set-ntp true" in text
    assert contents(host.root) == fresh
    assert mirror.requests == []


def test_a_host_that_is_part_of_the_cluster_already_is_not_asked_for_the_time_again(
    tmp_path: Path, mirror: Mirror
) -> None:
    host = k3s_host(tmp_path)
    assert install(host, mirror, role="agent").returncode == 0
    (host.fake / "server-answer").write_text("Date: Thu, 05 Nov 2020 08:49:37 GMT\r\n")
    assert install(host, mirror, role="agent").returncode == 0


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
    assert not [path for path in mirror.requests[requests:] if "k3s" in path]


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
    assert f"cannot download {mirror.url}/{quote(NEWER)}/k3s-arm64" in text
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
    assert re.search(rf"{unit} does not run after \d+ s", text)
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


@pytest.mark.parametrize(
    ("journal", "what", "remedy"),
    [
        (
            "level=fatal msg=starting kubernetes: etcd cluster join failed: duplicate node name found",
            "the cluster has a server pi2 already",
            "sudo k3s kubectl delete node pi2",
        ),
        (
            "Node password rejected, duplicate hostname",
            "knows another host by the name pi2",
            "delete node pi2",
        ),
        (
            "failed to retrieve configuration from server: not authorized",
            "does not accept this host's token",
            "was the first server made anew?",
        ),
    ],
)
def test_a_host_that_the_cluster_refuses_is_not_waited_for(
    host: FakeHost, mirror: Mirror, journal: str, what: str, remedy: str
) -> None:
    (host.fake / "broken" / "k3s-agent").touch()
    (host.fake / "journal").write_text(journal + "\n")
    text = refusal(install(host, mirror, role="agent", wait_s="600"))
    assert what in text
    assert remedy in text


def test_a_refusal_that_passes_is_waited_out(host: FakeHost, mirror: Mirror) -> None:
    """A Node that was just deleted is known for some seconds more."""
    (host.fake / "journal").write_text("Node password rejected\n")
    # It comes up while the second pause lasts: after the first one it is still refused.
    host.program(
        "sleep",
        'if [ -e "$FAKE/paused" ]; then : >"$FAKE/active/k3s-agent"; fi\n'
        ': >"$FAKE/paused"\nexec /bin/sleep 0.1',
    )
    (host.fake / "broken" / "k3s-agent").touch()
    assert install(host, mirror, role="agent", wait_s="600", refused_s="600").returncode == 0


def test_an_older_minor_version_is_refused(host: FakeHost, mirror: Mirror) -> None:
    install(host, mirror, version=NEWER)
    text = refusal(install(host, mirror))
    assert f"k3s {NEWER} is installed, and piray:k3s.version is {VERSION}" in text
    assert NEWER in host.read("usr/local/bin/k3s")


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
