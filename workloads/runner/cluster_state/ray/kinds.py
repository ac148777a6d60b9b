"""Which kinds of things Ray lists, and how many at once; free of imports, as the options need it."""

KINDS = ("nodes", "tasks", "actors", "objects", "placement-groups", "workers")
# RAY_MAX_LIMIT_FROM_API_SERVER of Ray: it refuses to answer with more.
MOST_ROWS = 10_000
# Ray's own default.
DEFAULT_ROWS = 100
