"""Decides how property values are marked and compared; knows no resource, and nothing of Pulumi's SDK."""
