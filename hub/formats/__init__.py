"""Codecs: bytes to a neutral tree and back, without meaning. See :mod:`hub.formats.registry`."""

from hub.formats.registry import Codec, codec, codec_names
from hub.formats.tree import FormatError, Position, Tree

__all__ = ["Codec", "FormatError", "Position", "Tree", "codec", "codec_names"]
