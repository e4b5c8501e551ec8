"""Wiring: the registry of connectors, the hub put together from its parts, workers, scheduler, the simulation."""
