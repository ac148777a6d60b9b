"""What no proxy of the user's environment may carry. Pure; no Pulumi."""

from collections.abc import Iterable, Mapping


def past_proxies(inherited: Mapping[str, str], addresses: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables that keep this machine, and more addresses, from being reached through a proxy.

    A proxy may carry downloads. It knows nothing of the user's own network, and parts of Ray and Pulumi would
    ask it even for 127.0.0.1: gRPC for Python does. Each program reads one of the two names, gRPC the small
    one only.

    Args:
        inherited: The user's environment; its exceptions stay.
        addresses: Further addresses or names, without ports.
    """
    given = inherited.get("no_proxy") or inherited.get("NO_PROXY") or ""
    value = ",".join([*filter(None, [given.strip(" ,")]), "127.0.0.1", "localhost", *addresses])
    return {"no_proxy": value, "NO_PROXY": value}
