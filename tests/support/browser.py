"""Whether there is a Chromium for the tests that need one: a machine without skips them and says why, CI fails."""

import os
import shutil
from pathlib import Path

import pytest


def chromium_path() -> Path:
    """The browser to test with."""
    found = shutil.which("chromium")
    if found is not None:
        return Path(found)
    reason = "there is no chromium on PATH: `make browser` installs it as root on Debian"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Path:
    return chromium_path()
