"""The order on the desk: read from a snapshot, decided about, written as the difference."""
