"""A warehouse management system with a modest REST API: requests out, an event log back by webhook and poll."""
