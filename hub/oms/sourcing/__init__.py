"""Which locations ship what, and why."""
