"""What the documentation says is true."""

from pathlib import Path

import pytest

from lingma_gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_every_setting_of_the_gateway_is_documented(field: str) -> None:
    assert f"`{field.upper()}`" in (ROOT / "docs" / "gateway.md").read_text()
