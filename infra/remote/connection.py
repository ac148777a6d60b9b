"""The SSH connection to a host, with a pinned host key."""

from pulumi import Output
from pulumi_command import remote

from infra.config.model import HostConfig, SshConfig

# Retries start at 0.1 s and back off to 5 s: ten refusals take 11 s, 120 take ten minutes.
# https://github.com/pulumi/pulumi-command/blob/v1.2.1/provider/pkg/provider/remote/connection.go
_DIAL_ERRORS = 10
_DIAL_ERRORS_ACROSS_REBOOT = 120
_DIAL_TIMEOUT_S = 10
_DIAL_TIMEOUT_ACROSS_REBOOT_S = 5


def connection(host: HostConfig, ssh: SshConfig, *, across_reboot: bool = False) -> remote.ConnectionArgs:
    """Build the SSH connection to a host, from static configuration alone.

    A connection is an input of every Command: whatever changed in it between two runs would re-run every
    script.

    Args:
        host: The host; without a host key (piray:insecureHostKeys) whatever key it shows is accepted.
        ssh: User, port, private key and jump host; without a key the SSH agent is asked.
        across_reboot: Wait about ten minutes for a host that is restarting, instead of giving up after
            seconds.
    """
    private_key = Output.secret(ssh.private_key.reveal()) if ssh.private_key else None
    return remote.ConnectionArgs(
        host=host.address,
        port=ssh.port_on(host),
        user=ssh.user_on(host),
        private_key=private_key,
        host_key=_bare(host.host_key),
        proxy=_proxy(ssh, private_key),
        dial_error_limit=_DIAL_ERRORS_ACROSS_REBOOT if across_reboot else _DIAL_ERRORS,
        per_dial_timeout=_DIAL_TIMEOUT_ACROSS_REBOOT_S if across_reboot else _DIAL_TIMEOUT_S,
    )


def _proxy(ssh: SshConfig, private_key: Output[str] | None) -> remote.ProxyConnectionArgs | None:
    if ssh.proxy is None:
        return None
    return remote.ProxyConnectionArgs(
        host=ssh.proxy.address,
        port=ssh.proxy.port,
        user=ssh.proxy.user or ssh.user,
        private_key=private_key,
        host_key=_bare(ssh.proxy.host_key),
        dial_error_limit=_DIAL_ERRORS,
        per_dial_timeout=_DIAL_TIMEOUT_S,
    )


def _bare(host_key: str | None) -> str | None:
    """Return type and key alone: for the provider a comment behind them would be part of the key."""
    return " ".join(host_key.split()[:2]) if host_key else None
