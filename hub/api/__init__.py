"""The HTTP surface: the webhook ingress, health, readiness and metrics."""
