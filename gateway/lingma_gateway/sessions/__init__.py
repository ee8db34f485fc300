"""Login sessions on disk: reading them, and restoring them from a bundle."""
