"""A host that is to join a cluster whose clock is another one."""

from sandbox.site import Site
from tests.e2e.cluster import Cluster

# The clock of a container is that of its machine.
AHEAD = """
cat >/usr/local/bin/date <<'X'
#!/bin/sh
case "$*" in +%s*) set -- -d "1 hour" "$@" ;; esac
exec /usr/bin/date "$@"
X
chmod 755 /usr/local/bin/date
"""


def test_a_host_whose_clock_is_not_that_of_the_server_is_refused_before_it_joins(
    cluster: Cluster, site: Site
) -> None:
    server, services = cluster.server, cluster.services()
    late = site.start("pi4")
    try:
        late.wait_until_up()
        late.as_root(AHEAD)
        before = late.files()
        cluster.hosts.append(late)
        up = cluster.up()
        assert up.code != 0
        assert "piray: pi4: the clock says" in up.said
        assert f"the server {server.address} says" in up.said
        assert late.files() == before
    finally:
        cluster.hosts.remove(late)
        late.remove()
    up = cluster.up()
    assert up.code == 0, up.said
    assert cluster.services() == services
