"""Speed, measured against bare floors in the same run; printed as JSON, never asserted as a time."""
