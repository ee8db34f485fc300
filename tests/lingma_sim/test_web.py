import pytest

from lingma_sim.web import MAX_BODY_BYTES, Request, Response, body_length, parse_head


def test_a_head_is_read_with_its_query_and_headers() -> None:
    request = parse_head(b"POST /a/b?x=1&y=%20z&x=2&e= HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3")
    assert request == Request("POST", "/a/b", {"x": "2", "y": " z", "e": ""}, {"host": "h:1", "content-length": "3"})
    assert body_length(request) == 3


@pytest.mark.parametrize("head", [b"", b"GET /", b"GET / HTTP/2", b"GET / a HTTP/1.1", b"GET / HTTP/1.1\r\nnonsense"])
def test_what_is_no_head_is_refused(head: bytes) -> None:
    assert parse_head(head) is None


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({}, 0),
        ({"content-length": str(MAX_BODY_BYTES)}, MAX_BODY_BYTES),
        ({"content-length": str(MAX_BODY_BYTES + 1)}, None),
        ({"content-length": "-1"}, None),
        ({"content-length": "9" * 30}, None),
        ({"transfer-encoding": "chunked"}, None),
    ],
)
def test_the_length_of_a_body_is_known_or_the_request_refused(headers: dict[str, str], length: int | None) -> None:
    assert body_length(Request("POST", "/", {}, headers)) == length


def test_a_form_and_json_are_read_from_the_body() -> None:
    assert Request("POST", "/", {}, {}, b"a=1&b=%C3%BC&c=").form() == {"a": "1", "b": "ü", "c": ""}
    assert Request("POST", "/", {}, {}, b'{"a":1}').json() == {"a": 1}


def test_a_response_counts_bytes() -> None:
    assert b"Content-Length: 2\r\n" in Response("ü").encode()
    assert Response("ü").encode().endswith("\r\n\r\nü".encode())
