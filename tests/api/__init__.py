"""The HTTP surface, driven in process and over sockets."""
