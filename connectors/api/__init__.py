"""Orders that programs write through POST /v1/orders of this hub."""
