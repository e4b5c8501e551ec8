"""The one-command demo: emulated systems as processes of their own, the hub beside them, a story of real-shaped orders."""
