import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingma_contract import requestid


@pytest.mark.parametrize("value", ["a", "req-0123", "Root=1-67891233-abcdef", "a/b:c@d+e.f_g", "x" * 128])
def test_a_callers_safe_id_is_kept(value: str) -> None:
    assert requestid.accept(value) == value


@given(st.none() | st.text() | st.just("x" * 129) | st.just("a\n") | st.just("\x1b[2J"))
def test_every_id_is_safe_to_log(value: str | None) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", requestid.accept(value))


@pytest.mark.parametrize("value", [None, "", "a b", "a\n", "x" * 129, "é"])
def test_a_missing_or_unsafe_id_is_replaced_by_a_new_one(value: str | None) -> None:
    first, second = requestid.accept(value), requestid.accept(value)
    assert re.fullmatch(r"req-[0-9a-f]{12}", first)
    assert first != second
