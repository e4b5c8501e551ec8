"""What others are told, and what they answer."""
