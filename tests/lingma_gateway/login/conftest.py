"""The browser that the login tests use."""

from tests.support.browser import chromium

__all__ = ["chromium"]
