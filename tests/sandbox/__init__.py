"""The sandbox, driven over real HTTP as its callers drive it."""
