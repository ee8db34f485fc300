"""What holds for every test."""

from hypothesis import settings

# A loaded machine must not fail a test: pytest-timeout bounds each one anyway.
settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")
