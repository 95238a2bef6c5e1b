"""Fees: versioned schedules of ordered rules, the pure computation, and the review for admins."""
