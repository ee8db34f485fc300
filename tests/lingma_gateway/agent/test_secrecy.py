"""What Lingma's tools read of the session's files, which are beside them, reaches no client and no log."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from lingma_contract.jsonlog import JsonFormatter
from tests.lingma_gateway.agent.support import APIS
from tests.matrix.bench import Bench, bench

pytestmark = pytest.mark.asyncio(loop_scope="package")

PLANTED = "planted"
"""Begins each secret that stands in a file of these tests."""
LOGIN = {
    "name": "Alice",
    "uid": "alice",
    "security_oauth_token": "planted-plain",
    "refresh_token": "planted-Refresh-0123456789",
    "encrypt_user_info": {"inner": ["planted in a list"]},
    "expire_time": 1,
}
FILES = {
    "cache/machine_token.json": json.dumps({"machineToken": "planted-1", "nested": {"token": "planted-2"}}),
    "cache/login.json": json.dumps(LOGIN),
    "cache/login.py": repr(LOGIN | {"encrypt_user_info": ""}),
    "cache/login.txt": "security_oauth_token = planted-3\nREFRESH_TOKEN: 'planted-4'\nhttps://x/?token=planted-5&a=1",
    "logs/request.log": "GET /v1 Authorization: Bearer planted-abcdefgh refreshToken=planted-6; done",
}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def telling(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """A gateway that shows and logs as much as it can be told to."""
    settings: dict[str, Any] = {
        "agent_mode": "on",
        "agent_tools": "grep_code=show, list_dir=approve",
        "tools_log_content": True,
    }
    async with bench(tmp_path_factory.mktemp("telling"), **settings, first_event_timeout=30, idle_timeout=30) as made:
        for name, content in FILES.items():
            (made.work_dir / name).write_text(content)
        yield made


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(JsonFormatter().format(record) for record in caplog.records)


@pytest.mark.parametrize("file", [*FILES, "cache/user"])
@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("api", APIS)
async def test_no_token_that_a_tool_read_is_in_an_answer_or_a_log_line(
    telling: Bench, caplog: pytest.LogCaptureFixture, api: str, stream: bool, file: str
) -> None:
    caplog.set_level(logging.DEBUG)
    for tool in ("grep_code", "list_dir", "delete_file"):
        arguments = json.dumps({"path": file, "token": "planted-argument"})
        prompt = f"@sim tool {tool} {arguments}\n@sim fault tool-named\n@sim fault tool-reads={file}\n@sim say done"
        seen = await APIS[api](telling, prompt, stream=stream)
        assert seen.text == "done"
        assert len(seen.calls) == (tool == "grep_code")
        for text in (seen.raw, logged(caplog)):
            assert PLANTED not in text
            assert (telling.work_dir / "cache" / "user").read_text()[:40] not in text
    assert '"phase":"result"' in logged(caplog)


async def test_what_is_no_secret_is_shown_as_it_is(telling: Bench) -> None:
    (telling.work_dir / "code.py").write_text('def f(x):\n    return {"a": x}  # 中文\n')
    prompt = "@sim tool grep_code {}\n@sim fault tool-named\n@sim fault tool-reads=code.py"
    seen = await APIS["messages"](telling, prompt)
    ((_, text, _),) = seen.results
    assert json.loads(text) == [{"content": 'def f(x):\n    return {"a": x}  # 中文\n'}]
