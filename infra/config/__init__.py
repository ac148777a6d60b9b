"""Decides what a stack file may say; the only reader of Pulumi's config. Knows no resource."""
