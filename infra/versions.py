"""Every pinned version, each once; imports nothing. `tests/test_versions.py` compares every other copy."""

# Of the stable channel; newer ones: https://docs.k3s.io/release-notes
K3S = "v1.36.5+k3s1"
# The install script is part of no release, and no release has its sum. Both values move together; newer
# commits: https://github.com/k3s-io/k3s/commits/main/install.sh
K3S_INSTALL_SCRIPT_COMMIT = "0136cf258954a458da1404858396342724b93d24"
K3S_INSTALL_SCRIPT_SHA256 = "40b487f0d8ef4f5d1bf422e7bb6228cc7789c40ecc66c5ab067d396bbee9816e"
# Named, so that a newer Kubernetes does not tighten the rules of a running stack.
# https://kubernetes.io/docs/concepts/security/pod-security-standards/
POD_SECURITY = "v1.36"

# Newer ones: https://github.com/ray-project/ray/releases
RAY = "2.60.0"
NUMBA = "0.68.1"
NUMPY = "2.4.6"
# Of the official Ray image that is the default, and of images/ray.
IMAGE_PYTHON = "3.11"
# Requirements of the workloads that the official Ray image does not hold.
OFFICIAL_IMAGE_LACKS = (f"numba=={NUMBA}",)

# Newer ones: https://github.com/ray-project/kuberay/releases
KUBERAY = "v1.6.2"
KUBERAY_IMAGE = f"quay.io/kuberay/operator:{KUBERAY}"
# https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/pkg/features/features.go
KUBERAY_GATES = (
    "RayClusterStatusConditions",
    "RayJobDeletionPolicy",
    "RayMultiHostIndexing",
    "RayServiceIncrementalUpgrade",
    "RayCronJob",
    "AsyncJobInfoQuery",
)
# Of the definitions of its custom resources, which no release has sums for. They move with the version.
# https://github.com/ray-project/kuberay/tree/v1.6.2/ray-operator/config/crd/bases
KUBERAY_CRD_SHA256 = {
    "ray.io_rayclusters.yaml": "1d51d8c4ce065b22c2069af0ebd72ae25f4a6968e5c5f93a3106ba6fc35bcc1d",
    "ray.io_raycronjobs.yaml": "6d0ae6c24a2b2a6c0796c6775cd72f3e894831ff3b89379613e93c4d55965cd5",
    "ray.io_rayjobs.yaml": "ecae45d9a5dc1be68f1074ba784c495ef9d439d295253b61e1bd51f7b08522f5",
    "ray.io_rayservices.yaml": "95c639acc20ecc3cfa425d5ad0f8a7c152a336bc16d2e0deec17b62005e67fda",
}

# The first CLI with what the program uses: require_pulumi_version (3.217), hide_diffs (3.202), and what
# pulumi-command 1.2 needs (3.165). https://github.com/pulumi/pulumi/blob/master/CHANGELOG.md
PULUMI_CLI_MIN = "3.217.0"
