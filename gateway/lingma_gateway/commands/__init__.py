"""What a person runs once: a module for each group, with `add_to(commands)`. They print; nothing below does."""


class CommandFailed(Exception):
    """The command did not do what it was asked for; the message says why and what to do. Exit status 1."""
