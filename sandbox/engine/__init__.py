"""The project's test engine: runs Pulumi programs where the Pulumi CLI cannot be had."""
