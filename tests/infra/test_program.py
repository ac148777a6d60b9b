"""How the program lives in its process."""

import gc
import signal
from collections.abc import Iterator

import grpc
import pulumi
import pytest
from pulumi.runtime.settings import SETTINGS

from infra import program
from infra.versions import PULUMI_CLI_MIN


class Refusal(grpc.RpcError):  # type: ignore[misc]  # gRPC has no types
    """What the SDK gets from a CLI that does not fit."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details


class Cli:
    """An engine that answers with a refusal, or with nothing."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        self.refusal = refusal
        self.asked: list[str] = []

    def RequirePulumiVersion(self, request: object) -> None:  # noqa: N802 — name of the gRPC method
        self.asked.append(str(request.pulumi_version_range))  # type: ignore[attr-defined]
        if self.refusal:
            raise self.refusal


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    """Put back what the program changes in its process."""
    engine, on_interrupt = SETTINGS.engine, signal.getsignal(signal.SIGINT)
    yield
    SETTINGS.engine = engine
    signal.signal(signal.SIGINT, on_interrupt)
    gc.enable()


def begin(cli: Cli) -> None:
    SETTINGS.engine = cli
    program.begin()


def test_the_cli_is_asked_whether_it_is_new_enough() -> None:
    cli = Cli()
    begin(cli)
    assert cli.asked == [f">={PULUMI_CLI_MIN}"]


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.UNKNOWN, "Pulumi CLI version 3.216.0 does not satisfy the version range"),
        # Before 3.217 the CLI did not know the question.
        (grpc.StatusCode.UNIMPLEMENTED, "unknown method RequirePulumiVersion"),
    ],
)
def test_a_cli_that_is_too_old_is_named_with_the_version_it_takes(
    code: grpc.StatusCode, details: str
) -> None:
    with pytest.raises(pulumi.RunError, match=f"needs pulumi {PULUMI_CLI_MIN} or newer: update it"):
        begin(Cli(Refusal(code, details)))


def test_an_interrupt_ends_the_program_at_once_and_no_garbage_is_looked_for() -> None:
    begin(Cli())
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert not gc.isenabled()
