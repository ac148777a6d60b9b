"""The project's test engine: performs Pulumi programs where the Pulumi CLI cannot be had.

Decides only what Pulumi's engine decides, as it decides it; must not know which program it performs. Each
package knows only those after it: `program`, `steps`, `command` and `kubernetes`, `stack`, `wire`.
"""
