"""Shopify: orders and refunds by webhook and by the GraphQL Admin API, shipments and stock back to the shop."""
