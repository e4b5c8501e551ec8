"""Receipts, messages, outbox, attempts, unknown outcomes, echoes, exceptions, tasks: what is owed to the outside."""
