"""Commands as pulumi-command runs them."""
