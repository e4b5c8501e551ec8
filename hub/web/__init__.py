"""The operator dashboard: pages made on the server, that work without JavaScript."""
