"""What the test engine passes for: new enough for all that the project asks of Pulumi."""

VERSION = "3.272.0"
