"""Configuration: YAML with positions, one JSON Schema per kind, secrets by reference, revisions.

Start at :func:`hub.config.load.load_bundle`.
"""
