"""Goods at locations: counts, movements, reservations and what they free."""
