"""What stops a bootstrap."""


class BootstrapError(Exception):
    """Lingma could not be obtained; the message says why and what to do."""
