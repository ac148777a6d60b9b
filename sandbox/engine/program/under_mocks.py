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
    """Run a program in a new stack until all that it has begun is over.

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

    async def main() -> None:
        # What a failed registration leaves behind has been reported already.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        if threads is not None:
            asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(threads))

        def run() -> None:
            program()

        await run_in_stack(run)

    def begin() -> None:
        configure(_settings(monitor, logger, project=project, stack=stack, dry_run=preview))
        set_all_config(dict(config), list(secret_keys))
        set_root_resource(None)  # type: ignore[arg-type]  # as in a new process
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        # After a failure threads may still answer to it.
        loop.close()

    # Under a real engine the program has a process of its own: its signals are not this one's.
    with patch.object(signal, "signal"):
        contextvars.copy_context().run(begin)


def _settings(monitor: MockMonitor, logger: logging.Logger | None, **more: Any) -> MockSettings:
    """Return what `pulumi.runtime.set_mocks` would set, without the finished stack that it makes."""
    return MockSettings(monitor=monitor, engine=Engine(logger), organization=None, callbacks=None, **more)
