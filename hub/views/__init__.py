"""Read models in plain SQL: lists, pages, reports, and the audit of the promises. Nothing here writes."""
