"""The engine behind every connector.yaml: a connector whose vendor protocol is data."""
