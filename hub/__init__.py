"""Order Hub: from a shop's order to warehouse and ERP. This module holds the version and nothing else."""

__version__ = "0.1.0"
