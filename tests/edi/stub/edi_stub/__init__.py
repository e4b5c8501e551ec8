"""A connector that puts files into a folder: what the EDI tests need of a transport, and no more."""
