"""Marks of Pulumi's wire format; here alone, so that nobody imports its SDK for them.

https://github.com/pulumi/pulumi/blob/master/developer-docs/architecture/resource-registration.md
"""

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 — a mark that everybody knows
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
