"""The one place where a Pulumi program runs without an engine, under Pulumi's mocks."""

import asyncio
import contextvars
import logging
import signal
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

from pulumi.runtime.config import set_all_config
from pulumi.runtime.mocks import MockEngine, MockMonitor, MockSettings
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.settings import configure, set_root_resource
from pulumi.runtime.stack import run_in_stack
from semver import VersionInfo

from sandbox.engine.version import VERSION


class Engine(MockEngine):
    """Pulumi's mock engine, which also answers `pulumi.require_pulumi_version`."""

    def RequirePulumiVersion(self, request: Any) -> Any:  # noqa: N802 — name of the gRPC method
        """Accept a range of versions, such as `>=3.0.0 <4.0.0`, that holds the one that this passes for."""
        wanted = request.pulumi_version_range
        if not all(VersionInfo.parse(VERSION).match(one) for one in wanted.split()):
            # The words of the real engine.
            raise ValueError(f'Pulumi CLI version {VERSION} does not satisfy the version range "{wanted}"')
        return engine_pb2.RequirePulumiVersionResponse()


def run_under_mocks(
    program: Callable[[], object],
    monitor: MockMonitor,
    config: Mapping[str, str],
    *,
    stack: str,
    preview: bool,
    project: str = "piray",
    secret_keys: Collection[str] = (),
    logger: logging.Logger | None = None,
    threads: int | None = None,
) -> None:
    """Run a program in a new stack, with mocks in the place of the engine, until all that it began is over.

    Args:
        program: What `__main__.py` would do.
        monitor: Who is asked to register resources, the stack among them.
        config: Configuration of the stack, keys with their namespace, values as the engine hands them over.
        stack: Name of the stack.
        preview: Whether unknown outputs are expected.
        project: Name of the project.
        secret_keys: Keys of the configuration whose values are secret.
        logger: Gets what the program tells the user; None for the root logger.
        threads: How many requests may wait for their answers at once; None for Python's default.

    Raises:
        BaseException: Whatever ended the program.
    """
    settings = MockSettings(  # type: ignore[no-untyped-call]  # Pulumi's mocks have no types
        monitor=monitor,
        engine=Engine(logger),
        project=project,
        stack=stack,
        dry_run=preview,
        organization=None,
        callbacks=None,
    )
    # Under a real engine the program has a process of its own: its signals are not this one's.
    with patch.object(signal, "signal"):
        contextvars.copy_context().run(_run, program, settings, config, secret_keys, threads)


def _run(
    program: Callable[[], object],
    settings: MockSettings,
    config: Mapping[str, str],
    secret_keys: Collection[str],
    threads: int | None,
) -> None:
    def main() -> None:
        program()

    # As `pulumi.runtime.set_mocks`, but for the stack that it makes, which is over already.
    configure(settings)
    set_root_resource(None)  # type: ignore[arg-type]  # as in a new process
    set_all_config(dict(config), list(secret_keys))
    loop = asyncio.new_event_loop()
    if threads is not None:
        loop.set_default_executor(ThreadPoolExecutor(threads))
    # What a failed registration leaves behind has been reported already.
    loop.set_exception_handler(lambda *_: None)
    loop.run_until_complete(run_in_stack(main))
    # Not after a failure: threads may still answer to it.
    loop.close()
