"""The parallel π Job on Kubernetes: a ConfigMap with the program, and an Indexed Job that runs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from infra.config.model import PiJobConfig
from infra.names import PI_JOB_TYPE
from infra.objects.metadata import name_by_content
from infra.pi_job import manifest

# The program is read as text: the two halves of the project never import each other.
_ROOT = Path(__file__).resolve().parents[2]

# Beyond the Job's own deadline, so that it is Kubernetes that says what is wrong.
_TIMEOUT_MARGIN_S = 300


@dataclass(frozen=True, kw_only=True)
class PiJobArgs:
    """What the π Job is told.

    Attributes:
        job: Completions, parallelism, samples and seed.
        image: A Ray image, which has NumPy at least.
        arch: "arm64" or "amd64", which the nodes must have.
        namespace: Name of a Namespace that is there.
        pull_secret: Name of the Secret with the registry's password; None where it asks for none.
    """

    job: PiJobConfig
    image: str
    arch: str
    namespace: pulumi.Input[str]
    pull_secret: str | None = None


class PiJob(pulumi.ComponentResource):
    """π by Monte-Carlo in pods that know nothing of each other.

    After `up` the Job is complete and each pod's count is in its termination message. A change of the program
    or of the numbers runs it again under a new name. `destroy` removes it with its pods.

    Args:
        name: Name of the resource.
        args: What it is told.
        provider: Kubernetes provider of the cluster that it runs on.
        opts: Options of the resource; what it depends on, the Job waits for.

    Attributes:
        summary: What the runner has to know: name of the Job, completions, parallelism, samples (of each
            completion) and seed.
    """

    summary: Mapping[str, pulumi.Input[Any]]

    def __init__(
        self,
        name: str,
        args: PiJobArgs,
        provider: kubernetes.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(PI_JOB_TYPE, name, None, opts)
        # Made before the old one goes, an object that keeps its name would be the old one, and go with it.
        child = pulumi.ResourceOptions(parent=self, provider=provider, delete_before_replace=True)
        data = _program_data()
        program_name = name_by_content("pi-program", data)
        program = kubernetes.core.v1.ConfigMap(
            f"{name}-program",
            **manifest.program_config_map(program_name, args.namespace, data),
            opts=child,
        )
        job_manifest = manifest.pi_job(
            args.job,
            args.image,
            args.arch,
            args.namespace,
            program_name,
            pull_secret=args.pull_secret,
        )
        timeout = f"{job_manifest['spec']['activeDeadlineSeconds'] + _TIMEOUT_MARGIN_S}s"
        waits = pulumi.ResourceOptions(
            depends_on=program, custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout)
        )
        # Pulumi does not hand what a component waits for down to its children.
        after = pulumi.ResourceOptions(depends_on=opts.depends_on if opts else None)
        job_opts = pulumi.ResourceOptions.merge(pulumi.ResourceOptions.merge(child, waits), after)
        job = kubernetes.batch.v1.Job(f"{name}-job", **job_manifest, opts=job_opts)
        self.summary = {
            "name": job.metadata.name,
            "completions": args.job.completions,
            "parallelism": args.job.parallelism,
            "samples": args.job.samples,
            "seed": args.job.seed,
        }
        self.register_outputs({"summary": self.summary})


def _program_data() -> dict[str, str]:
    """Return the program's files, by key of the ConfigMap.

    A change of any of them makes a new ConfigMap, and so a new Job.
    """
    return {
        manifest.config_map_key(file): (_ROOT / file).read_text(encoding="utf-8")
        for file in manifest.PROGRAM_FILES
    }
