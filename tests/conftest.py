"""Fixtures of every test; each area's own live in its folder."""

pytest_plugins = ["tests.databases"]
