"""Finding, following, cutting and reading faces."""
