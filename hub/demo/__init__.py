"""The one-command demo: emulated systems and the hub as processes, a story of real-shaped orders."""
