"""One folder per system that the hub can talk to; each imports hub.sdk and itself only."""
