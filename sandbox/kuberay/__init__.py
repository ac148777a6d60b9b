"""The KubeRay operator, built from its Go module, in the form in which a stack gets it."""
