"""Decides how a workload runs on a stack's cluster: as a job of Ray, followed and stopped from here."""

import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from workloads.protocol.events import Event, encode
from workloads.protocol.specs import Request, Spec
from workloads.runner.embedded import EmbeddedTarget
from workloads.runner.follow import DriverReport
from workloads.runner.jobs_api.dashboard import ClusterError
from workloads.runner.jobs_api.job import new_id
from workloads.runner.jobs_api.jobs import Jobs
from workloads.runner.jobs_api.packages import has_wheels
from workloads.runner.jobs_api.work import Work
from workloads.runner.port_forward import forward
from workloads.runner.signals import uninterrupted
from workloads.runner.stack_outputs import StackOutputs


@dataclass(frozen=True)
class StackTarget:
    """The cluster of a stack.

    Attributes:
        stack: Name of the stack, or of the file its outputs came from.
        outputs: The stack's outputs.
        tell: Takes one line about what is being done.
    """

    stack: str
    outputs: StackOutputs
    tell: Callable[[str], None]

    @property
    def name(self) -> str:
        """Name for people."""
        return f"stack {self.stack}"

    def run(self, spec: Spec) -> Generator[str]:
        """Submit a job and yield its output in pieces. Closing the iterator stops the job on the cluster.

        Raises:
            ClusterError: If the cluster cannot be used.
            KubernetesError: If the way to it cannot be opened.
        """
        request = Request(spec=spec, expected=self.outputs.workers + 1, cpus=None, temp_dir=None)
        job, packages = new_id(spec.workload), self.outputs.runtime_packages
        # The local platform's head runs on this machine, where `python` may be anything.
        python = sys.executable if self.outputs.platform == "local" else "python"
        with self.jobs() as jobs, self.stopped_unless_left(jobs, job):
            jobs.submit(job, request.to_dict(), packages, python, self._wheels_url(packages))
            yield from jobs.follow(job)
            ended = jobs.get(job)
        if ended.status != "SUCCEEDED":
            yield f"\n{encode(Event('ended', {'status': ended.status, 'message': ended.message}))}\n"

    @contextmanager
    def jobs(self) -> Iterator[Jobs]:
        """Yield the cluster's jobs, which can be reached inside the block.

        Raises:
            ClusterError: If the cluster cannot be used.
            KubernetesError: If the way to it cannot be opened.
        """
        with self.reach() as url:
            yield Jobs(url, self.outputs.ray_token)

    def start(self, jobs: Jobs, job: str, work: Work) -> None:
        """Start a user's job.

        Raises:
            ClusterError: If the cluster refuses it.
        """
        with work.environment(self._wheels_url(work.packages)) as environment:
            jobs.start(job, work.entrypoint, environment, work.command)

    @contextmanager
    def stopped_unless_left(self, jobs: Jobs, job: str) -> Iterator[None]:
        """Stop a job if the block does not come to its end: interrupted, closed or failed, however early."""
        try:
            yield
        except BaseException:
            self.stop(jobs, job)
            raise

    def stop(self, jobs: Jobs, job: str) -> bool:
        """Stop a job, say so, and say whether it has ended."""
        with uninterrupted():
            self.tell(f"stopping job {job} on the cluster …")
            ended = jobs.stop(job)
            if not ended:
                self.tell(f"job {job} could not be stopped: look for it in Ray's dashboard.")
        return ended

    def _wheels_url(self, packages: Sequence[str]) -> str | None:
        """Return the stack's mirror of wheels, if it has any."""
        url = self.outputs.wheels_url
        return url if packages and url and has_wheels(url) else None

    def node_facts(self, report: DriverReport) -> tuple[dict[str, Any], ...]:
        """Return the facts of the nodes that computed, with what the stack knows of their hosts."""
        return report.node_facts(self.outputs.hosts)

    @contextmanager
    def reach(self) -> Iterator[str]:
        """Yield where the head's dashboard answers, which it does inside the block.

        Raises:
            ClusterError: If the stack says no usable address.
            KubernetesError: If the way to it cannot be opened.
        """
        outputs = self.outputs
        if outputs.dashboard_url is not None:
            url = outputs.dashboard_url.rstrip("/")
            if not _is_http(url):
                raise ClusterError(
                    f"output dashboardUrl is {url!r}: it must be an address that begins with "
                    "http:// or https://; run `make up` for the stack."
                )
            yield url
            return
        kubernetes = (outputs.kubeconfig, outputs.namespace, outputs.head_service, outputs.dashboard_port)
        kubeconfig, namespace, service, port = kubernetes
        # stack_outputs.parse lets no outputs through that lack both a URL and a way by Kubernetes.
        assert kubeconfig is not None
        assert namespace is not None
        assert service is not None
        assert port is not None
        with forward(kubeconfig, namespace, service, port) as local_port:
            yield f"http://127.0.0.1:{local_port}"


def _is_http(url: str) -> bool:
    try:
        return urlsplit(url).scheme in {"http", "https"}
    except ValueError:  # half an IPv6 address
        return False


Target = EmbeddedTarget | StackTarget
