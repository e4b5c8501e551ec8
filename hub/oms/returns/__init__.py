"""Goods that come back: asked for, received, inspected, settled."""
