"""A CRM with a modest REST API; connector.yaml says all of it."""
