"""What may be sold, by when, and who is first when goods come."""
