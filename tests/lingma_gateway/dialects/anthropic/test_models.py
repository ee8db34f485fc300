from typing import Any

import pytest
from anthropic.types import ModelInfo

from lingma_gateway.dialects.anthropic import models
from lingma_gateway.errors import InvalidRequest

ALL = [models.model(name, None) for name in "abcde"]


def ids(**query: str) -> tuple[str, bool]:
    shown = models.page(ALL, query)
    return "".join(each["id"] for each in shown["data"]), shown["has_more"]


def test_a_model_is_the_sdks_own_type_and_has_a_name_even_without_one() -> None:
    found = ModelInfo.model_validate(models.model("org_auto", "Auto"))
    assert (found.id, found.display_name, found.lifecycle) == ("org_auto", "Auto", "active")
    assert models.model("org_auto", None)["display_name"] == "org_auto"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ("abcde", False)),
        ({"limit": "2"}, ("ab", True)),
        ({"limit": "1000"}, ("abcde", False)),
        ({"limit": "2", "after_id": "b"}, ("cd", True)),
        ({"limit": "2", "after_id": "c"}, ("de", False)),
        ({"after_id": "e"}, ("", False)),
        ({"limit": "2", "before_id": "d"}, ("bc", True)),
        ({"limit": "2", "before_id": "c"}, ("ab", False)),
        ({"before_id": "a"}, ("", False)),
    ],
)
def test_a_page_is_what_comes_after_or_before_an_id(query: dict[str, str], expected: tuple[str, bool]) -> None:
    assert ids(**query) == expected


def test_a_page_names_its_ends() -> None:
    shown = models.page(ALL, {"limit": "2"})
    assert (shown["first_id"], shown["last_id"]) == ("a", "b")
    nothing = models.page(ALL, {"after_id": "e"})
    assert (nothing["first_id"], nothing["last_id"]) == (None, None)


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x", "", "²", "99999999999"])
def test_a_limit_out_of_bounds_is_refused(limit: str) -> None:
    with pytest.raises(InvalidRequest, match="from 1 to 1000") as caught:
        models.page(ALL, {"limit": limit})
    assert caught.value.param == "limit"


@pytest.mark.parametrize("query", [{"after_id": "z"}, {"before_id": "z"}])
def test_an_id_that_no_model_has_is_refused(query: Any) -> None:
    with pytest.raises(InvalidRequest, match="no such model"):
        models.page(ALL, query)
