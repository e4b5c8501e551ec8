"""What is charged, given back, paid out and posted."""
