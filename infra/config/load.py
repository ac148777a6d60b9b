"""The configuration of the running stack: the only place that reads Pulumi's config."""

import pulumi
from pulumi.runtime import config as pulumi_config

from infra.config.model import StackConfig
from infra.config.parse import parse
from infra.config.problems import ConfigError
from infra.names import PROJECT


class StackConfigError(ConfigError, pulumi.RunError):
    """A ConfigError that reaches the user of Pulumi's CLI as its text alone, with no traceback."""


def load() -> StackConfig:
    """Read the configuration of the running stack from Pulumi.

    Raises:
        StackConfigError: With every problem there is.
    """
    prefix = f"{PROJECT}:"
    # The same two places, in the same order of precedence, as pulumi.Config; only here are all keys seen,
    # also those that nobody asks for.
    merged = {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}
    values = {key.removeprefix(prefix): value for key, value in merged.items() if key.startswith(prefix)}
    encrypted = set(pulumi_config.get_config_secret_keys_env())
    secret_keys = {
        key for key in values if pulumi_config.is_config_secret(prefix + key) or prefix + key in encrypted
    }
    try:
        return parse(values, secret_keys=frozenset(secret_keys))
    except ConfigError as error:
        raise StackConfigError(error.problems) from None
