"""Oversight: the append-only log of what admins and sellers decided, and why."""
