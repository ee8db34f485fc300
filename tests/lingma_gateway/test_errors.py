import json

import pytest

from lingma_contract.errors import Dialect
from lingma_gateway import errors
from lingma_gateway.errors import GatewayError


def tree(cls: type[GatewayError]) -> list[type[GatewayError]]:
    return [cls, *(found for below in cls.__subclasses__() for found in tree(below))]


@pytest.mark.parametrize("cls", tree(GatewayError))
@pytest.mark.parametrize("dialect", Dialect)
def test_every_error_has_a_form_in_each_dialect(cls: type[GatewayError], dialect: Dialect) -> None:
    error = cls("what to do", param="messages", retry_after_s=2)
    rendered = error.render(dialect, "req-1")
    assert str(error) == "what to do"
    assert rendered.status >= 400
    assert rendered.headers["retry-after"] == "2"
    assert json.loads(rendered.body)["error"]["message"] == "what to do"


@pytest.mark.parametrize("cls", tree(GatewayError))
def test_every_error_stands_in_the_tree_that_the_module_shows(cls: type[GatewayError]) -> None:
    assert errors.__doc__ is not None
    assert cls.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("cls", "status"),
    [
        (errors.InvalidRequest, 400),
        (errors.Unauthenticated, 401),
        (errors.ModelNotFound, 404),
        (errors.RequestTooLarge, 413),
        (errors.QueueFull, 429),
        (errors.QuotaExceeded, 429),
        (errors.RateLimited, 429),
        (GatewayError, 500),
        (errors.UpstreamLost, 502),
        (errors.UpstreamRefused, 502),
        (errors.UpstreamProtocol, 502),
        (errors.NoReadyAccount, 503),
        (errors.LoginLost, 503),
        (errors.UpstreamTimeout, 504),
    ],
)
def test_the_status_says_whose_fault_it_is(cls: type[GatewayError], status: int) -> None:
    assert cls("x").render(Dialect.OPENAI, "req-1").status == status
