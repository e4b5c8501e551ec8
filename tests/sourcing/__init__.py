"""The solver against trying everything."""
