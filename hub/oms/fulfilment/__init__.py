"""The work of locations: planned, reported, shipped, collected, moved, labelled, followed."""
