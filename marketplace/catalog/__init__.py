"""Catalog: listings, and stock that is reserved before money is asked for."""
