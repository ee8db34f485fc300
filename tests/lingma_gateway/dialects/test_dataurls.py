import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.dialects import dataurls


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("data:image/png;base64,aGk=", ("image/png", b"hi")),
        ("DATA:text/plain;charset=utf-8;BASE64,aG\nk=", ("text/plain", b"hi")),
        ("data:,a%20b", ("", b"a b")),
        ("data:text/html,<p>", ("text/html", b"<p>")),
    ],
)
def test_a_data_url_is_its_type_and_its_bytes(url: str, expected: tuple[str, bytes]) -> None:
    assert dataurls.parse(url) == expected


@pytest.mark.parametrize(
    "url", ["", "data:", "data:image/png", "https://a.test/,x", "data:;base64,a", "data:;base64,é"]
)
def test_anything_else_is_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"no (data: URL|base64)|ASCII"):
        dataurls.parse(url)


@given(st.text(max_size=30))
def test_any_text_is_a_data_url_or_a_value_error(url: str) -> None:
    try:
        media_type, data = dataurls.parse(url)
    except ValueError:
        return
    assert isinstance(media_type, str)
    assert isinstance(data, bytes)
