"""Amazon Selling Partner API: orders in, shipments and stock out, and an emulated marketplace."""
