"""What comes in: orders captured, checked, held, taken apart and linked."""
