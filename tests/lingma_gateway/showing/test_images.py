"""Images, through a simulated Lingma that takes only files that it finds in its work directory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lingma_gateway.conversation import Media, MediaKind, Message, Part, Role, Text, ToolCall, ToolResult, Turn
from lingma_gateway.errors import GatewayError, InvalidRequest, UpstreamError
from lingma_gateway.events import PartDelta, PartKind
from lingma_gateway.lingma.images import Uploads
from lingma_gateway.media import MAX_IMAGES
from lingma_gateway.record import TurnRecord
from lingma_gateway.sessions.captured import STATE_DIR
from lingma_gateway.showing import Showing
from tests.matrix.bench import Bench, bench

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENT: dict[str, Any] = {"first_event_timeout": 30, "idle_timeout": 30}
SEES, BLIND = "dashscope_qmodel", "org_auto"
PNG = b"\x89PNG\r\n\x1a\n"
ASKED = Text("@sim images")


def image(content: bytes = b"a picture", where: str = "messages[0].content[1]") -> Media:
    return Media(MediaKind.IMAGE, where, "image/png", PNG + content)


def address(shown: Media) -> str:
    assert shown.data is not None
    return f"https://images.example/{hashlib.sha256(shown.data).hexdigest()[:16]}.png"


def turn(*parts: Part, model: str = SEES) -> Turn:
    return Turn(model, (Message(Role.USER, parts),), stream=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with bench(tmp_path_factory.mktemp("gateway"), **PATIENT) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_left_on_disk(gateway: Bench) -> Iterator[None]:
    yield
    assert files(gateway) == []


def files(gateway: Bench) -> list[Path]:
    return list((gateway.work_dir / STATE_DIR / "images").glob("*"))


async def answer(gateway: Bench, asked: Turn) -> tuple[str, TurnRecord]:
    """The text of an answer, and what is known of its turn."""
    record = TurnRecord("req-1", "team-a")
    texts: list[str] = []
    async with aclosing(gateway.services.turns.run(asked, record)) as produced:
        async for events in produced:
            texts += (each.text for each in events if isinstance(each, PartDelta) and each.kind is PartKind.TEXT)
    return "".join(texts), record


@asynccontextmanager
async def faulty(gateway: Bench, fault: str) -> AsyncIterator[None]:
    await gateway.switch(fault)
    try:
        yield
    finally:
        await gateway.switch()


async def test_a_model_that_can_see_is_shown_the_image(gateway: Bench) -> None:
    await gateway.forget_frames()
    shown = image()
    text, record = await answer(gateway, turn(Text("What is it?"), shown, ASKED))
    assert text == address(shown)
    assert record.degraded == []
    [ask] = await gateway.received("chat/ask")
    assert ask["message"]["params"]["questionText"] == "What is it?\n[image 1]\n@sim images"


async def test_images_in_results_of_tools_are_shown_too_and_each_once(gateway: Bench) -> None:
    first, second = image(b"1"), image(b"2")
    looked = Message(Role.ASSISTANT, (ToolCall("call_1", "look", "{}"),))
    result = Message(Role.TOOL, (ToolResult("call_1", (Text("here"), second)),))
    messages = (Message(Role.USER, (first,)), looked, result, Message(Role.USER, (ASKED,)))
    asked = Turn(SEES, messages, stream=True)
    text, _ = await answer(gateway, asked)
    assert text == f"{address(first)}\n{address(second)}"
    replied = Message(Role.ASSISTANT, (Text(text),))
    third = image(b"3")
    going_on = Turn(SEES, (*messages, replied, Message(Role.USER, (third, ASKED))), stream=True)
    text, record = await answer(gateway, going_on)
    assert (record.session, text) == ("hit", address(third))


async def test_a_model_that_cannot_see_gets_a_placeholder(gateway: Bench) -> None:
    text, record = await answer(gateway, turn(Text("What is it?"), image(), model=BLIND))
    assert text == "echo: What is it?\n[image]"
    assert record.degraded == ["image"]


async def test_what_no_model_can_see_gets_a_placeholder(gateway: Bench) -> None:
    linked = Media(MediaKind.IMAGE, "messages[0].content[0]", url="https://images.example/a.png")
    sound = Media(MediaKind.AUDIO, "messages[0].content[1]", "audio/wav", b"RIFF")
    text, record = await answer(gateway, turn(linked, sound))
    assert text == "echo: [image]\n[audio]"
    assert record.degraded == ["image", "audio"]


async def test_of_very_many_images_the_newest_are_shown(gateway: Bench) -> None:
    many = [image(bytes([number])) for number in range(MAX_IMAGES + 2)]
    text, record = await answer(gateway, turn(*many, ASKED))
    assert text.splitlines() == [address(each) for each in many[2:]]
    assert record.degraded == ["image", "image"]


@pytest.mark.parametrize("fault", ["image-upload=refused", "image-upload=failed", "image-upload=silent"])
async def test_an_image_that_lingma_does_not_take_becomes_a_placeholder(
    gateway: Bench, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.instance, "uploads", Uploads(gateway.work_dir / STATE_DIR / "images", 0.2))
    async with faulty(gateway, fault):
        text, record = await answer(gateway, turn(Text("What is it?"), image()))
    assert text == "echo: What is it?\n[image]"
    assert record.degraded == ["image"]


async def test_where_no_file_can_be_written_an_image_becomes_a_placeholder(
    gateway: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.instance, "uploads", Uploads(gateway.work_dir / ".info" / "images"))
    text, record = await answer(gateway, turn(image()))
    assert (text, record.degraded) == ("echo: [image]", ["image"])


async def test_a_client_that_leaves_while_its_image_is_uploaded_leaves_no_file(gateway: Bench) -> None:
    async with faulty(gateway, "image-upload=silent"):
        await gateway.forget_frames()
        task = asyncio.create_task(answer(gateway, turn(image())))
        await gateway.received("image/upload")
        assert len(files(gateway)) == 1
        assert files(gateway)[0].stat().st_mode & 0o777 == 0o600
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert gateway.pool.in_flight == 0


async def test_what_a_gateway_that_was_killed_left_behind_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "old.png").write_bytes(PNG)
    Uploads(folder).clear()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("params", [{}, {"result": None}, {"result": {"requestId": 7}}, {"result": {"requestId": "x"}}])
async def test_news_of_an_upload_that_nobody_waits_for_are_passed_over(tmp_path: Path, params: dict[str, Any]) -> None:
    Uploads(tmp_path).told(params)


async def refused(gateway: Bench, asked: Turn) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await answer(gateway, asked)
    return caught.value


async def test_rejecting_names_the_first_part_that_the_model_cannot_see(tmp_path: Path) -> None:
    async with bench(tmp_path, unsupported_media="reject", **PATIENT) as strict:
        assert (await answer(strict, turn(image(), ASKED)))[0] == address(image())
        error = await refused(strict, turn(Text("?"), image(where="messages[0].content[1]"), model=BLIND))
        assert isinstance(error, InvalidRequest)
        assert error.param == "messages[0].content[1]"
        async with faulty(strict, "image-upload=failed"):
            assert isinstance(await refused(strict, turn(image())), UpstreamError)
        assert strict.pool.in_flight == 0


async def test_switched_off_no_image_is_uploaded(gateway: Bench) -> None:
    showing = Showing(upload=False, reject=False)
    record = TurnRecord("req-1", "team-a")
    shown = await showing.show((Message(Role.USER, (image(),)),), gateway.instance, SEES, record)
    showing.check(turn(image()), gateway.instance, SEES, record)
    assert (shown.urls, record.degraded) == ((), ["image"])
