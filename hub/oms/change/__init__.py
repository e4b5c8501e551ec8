"""What changes about an order: edits, cancellations, and bringing the ledgers in step with what is wanted."""
