"""The tests. A package, so that a library's own top-level `tests` cannot take its place."""
