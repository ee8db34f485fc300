from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from lingma_gateway.codec import sse


@given(st.dictionaries(st.text(), st.text()))
def test_an_event_of_json_is_one_data_line_and_a_blank_one(payload: dict[str, Any]) -> None:
    data = sse.data(orjson.dumps(payload))
    line, blank, rest = data.split(b"\n")
    assert (blank, rest) == (b"", b"")
    assert orjson.loads(line.removeprefix(b"data: ")) == payload


def test_a_keep_alive_is_a_comment_which_clients_pass_over() -> None:
    assert sse.KEEP_ALIVE.startswith(b":")
    assert sse.KEEP_ALIVE.endswith(b"\n\n")
