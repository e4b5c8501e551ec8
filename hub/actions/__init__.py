"""One function for each thing a person can do: authorise, audit, call. Commands, API and web use it."""
