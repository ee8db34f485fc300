"""How an answer is sent, and every way in which it can end, for each kind of encoder."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
from starlette.types import Message
from uvicorn.protocols.http.flow_control import FlowControl

from lingma_contract.errors import Dialect
from lingma_gateway.api.access import Access
from lingma_gateway.api.reply import Direct, Encoded, Encoder, Reply
from lingma_gateway.codec import sse
from lingma_gateway.dialects import openai_chat
from lingma_gateway.dialects.anthropic import answer as anthropic
from lingma_gateway.dialects.anthropic.answer import Thinking
from lingma_gateway.dialects.openai_responses import answer as responses
from lingma_gateway.errors import GatewayError, UpstreamLost, UpstreamProtocol
from lingma_gateway.events import PartKind, StreamEvent
from tests.lingma_gateway.support_events import answer
from tests.lingma_gateway.support_pool import until

ENVELOPE = openai_chat.Envelope("chatcmpl-1", 1)
EVENTS = answer([(PartKind.TEXT, "Hello"), (PartKind.REASONING, "so")])
LOST = UpstreamLost("the connection broke")


class Telling:
    """An encoder that says in an event of its own that the answer broke off."""

    media_type = sse.MEDIA_TYPE

    def encode(self, event: StreamEvent) -> bytes:
        return sse.data(type(event).__name__.encode())

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        return sse.data(f"failed {error.message} {request_id}".encode())


def responses_envelope() -> responses.Envelope:
    return responses.Envelope("resp_1", 1, b"{}", "m", shows_reasoning=True, stored=False, now=lambda: 1)


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "chat": lambda: openai_chat.StreamEncoder(ENVELOPE, include_usage=False),
    "messages": lambda: anthropic.StreamEncoder(anthropic.Envelope("msg_1", "m"), Thinking.SHOWN),
    "responses": lambda: responses.StreamEncoder(responses_envelope()),
    "one that tells": Telling,
}
BODIES: dict[str, Callable[[], Encoder]] = {
    "chat": lambda: openai_chat.BodyEncoder(ENVELOPE),
    "messages": lambda: anthropic.BodyEncoder(anthropic.Envelope("msg_1", "m"), Thinking.SHOWN),
    "responses": lambda: responses.BodyEncoder(responses_envelope()),
}
LAST_WORDS = {
    "chat": b"",
    "messages": b"event: error\n",
    "responses": b'"type":"response.failed"',
    "one that tells": b"failed",
}
"""What a stream ends with that breaks off; nothing: its connection is aborted."""


@dataclass
class Client:
    """The other end of a request."""

    sent: list[Message] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent if message["type"] == "http.response.body")

    @property
    def complete(self) -> bool:
        """Whether the answer ended as an HTTP answer does."""
        return bool(self.sent) and self.sent[-1].get("more_body") is False

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])


class Run:
    """The events of a turn, let through one by one."""

    def __init__(self, *steps: list[StreamEvent] | Exception | asyncio.Event) -> None:
        self._steps = steps
        self.waits = False
        """Whether it came to an event that is not set."""
        self.closed = False

    async def events(self) -> AsyncGenerator[list[StreamEvent], None]:
        try:
            for step in self._steps:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    self.waits = True
                    await step.wait()
                else:
                    yield step
        finally:
            self.closed = True


def access() -> Access:
    return Access("req-1", Dialect.OPENAI)


async def sent(run: Run, encoder: Encoder, client: Client, access: Access, keep_alive_s: float = 60) -> None:
    reply = Reply(Encoded(run.events(), encoder), lambda: {"x-lingma-account": "alice"}, access, keep_alive_s)
    async with asyncio.timeout(5):
        await reply({"type": "http"}, client.receive, client.send)


# An answer that ends as it should


@pytest.mark.parametrize("encoder", ENCODERS)
async def test_a_stream_is_written_as_its_events_come_and_ends(encoder: str) -> None:
    client, run, record = Client(), Run(EVENTS[:2], EVENTS[2:]), access()
    await sent(run, ENCODERS[encoder](), client, record)
    whole = ENCODERS[encoder]()
    assert client.body == b"".join(whole.encode(event) for event in EVENTS)
    assert client.complete
    assert run.closed
    assert client.headers[b"content-type"] == b"text/event-stream"
    assert client.headers[b"cache-control"] == b"no-cache, no-transform"
    assert client.headers[b"x-lingma-account"] == b"alice"
    assert not record.aborted
    assert not record.client_gone


@pytest.mark.parametrize("body", BODIES)
async def test_a_body_is_one_piece_with_its_length_and_comes_when_the_turn_has_ended(body: str) -> None:
    run = Run(EVENTS)

    class Watching(Client):
        async def send(self, message: Message) -> None:
            assert run.closed
            await super().send(message)

    client = Watching()
    await sent(run, BODIES[body](), client, access())
    assert client.complete
    assert int(client.headers[b"content-length"]) == len(client.body) > 0
    assert client.headers[b"content-type"] == b"application/json"


async def test_events_without_bytes_are_not_written() -> None:
    client = Client()
    await sent(Run(EVENTS[:1], EVENTS[1:2], EVENTS[2:]), ENCODERS["chat"](), client, access())
    assert all(message["body"] for message in client.sent[1:-1])


# Failures


@pytest.mark.parametrize("encoder", [*ENCODERS.values(), *BODIES.values()])
async def test_a_failure_before_the_first_byte_is_left_to_be_a_status(encoder: Callable[[], Encoder]) -> None:
    client, run = Client(), Run(LOST)
    with pytest.raises(UpstreamLost):
        await sent(run, encoder(), client, access())
    assert client.sent == []
    assert run.closed


async def test_a_body_fails_as_a_status_however_far_it_was() -> None:
    client = Client()
    with pytest.raises(UpstreamLost):
        await sent(Run(EVENTS[:3], LOST), openai_chat.BodyEncoder(ENVELOPE), client, access())
    assert client.sent == []


@pytest.mark.parametrize("encoder", ENCODERS)
async def test_a_stream_that_breaks_off_says_so_in_its_own_form_or_has_no_end(encoder: str) -> None:
    client, record = Client(), access()
    await sent(Run(EVENTS[:3], LOST), ENCODERS[encoder](), client, record)
    assert LAST_WORDS[encoder] in client.body
    assert client.complete is bool(LAST_WORDS[encoder])
    assert not any(end in client.body for end in (b"[DONE]", b"message_stop", b"response.completed"))
    assert record.aborted
    assert record.error == "upstream_error"


@pytest.mark.parametrize("encoder", ENCODERS)
async def test_a_failure_after_comments_alone_is_told_as_in_the_middle_of_a_stream(encoder: str) -> None:
    client, record, goes_on = Client(), access(), asyncio.Event()
    sending = asyncio.create_task(sent(Run(goes_on, LOST), ENCODERS[encoder](), client, record, keep_alive_s=0.001))
    await until(lambda: sse.KEEP_ALIVE in client.body)
    assert client.sent[0]["status"] == 200
    goes_on.set()
    await sending
    assert record.aborted
    rest = client.body.replace(sse.KEEP_ALIVE, b"")
    assert rest == ENCODERS[encoder]().fail(LOST, "req-1")
    assert client.complete is bool(rest) is bool(LAST_WORDS[encoder])


@pytest.mark.parametrize("encoder", ENCODERS)
async def test_events_that_stop_without_an_end_are_a_failure_too(encoder: str) -> None:
    client, record = Client(), access()
    await sent(Run(EVENTS[:3]), ENCODERS[encoder](), client, record)
    assert record.aborted
    assert client.complete is bool(LAST_WORDS[encoder])
    with pytest.raises(UpstreamProtocol):
        await sent(Run(), ENCODERS[encoder](), Client(), access())


async def test_a_defect_in_the_middle_of_a_stream_is_raised_and_leaves_no_end() -> None:
    client = Client()
    with pytest.raises(RuntimeError):
        await sent(Run(EVENTS[:3], RuntimeError("a defect")), ENCODERS["one that tells"](), client, access())
    assert not client.complete


# Silence


async def test_a_silent_stream_gets_a_comment_each_time_the_interval_passes() -> None:
    client, goes_on = Client(), asyncio.Event()
    run = Run(EVENTS[:3], goes_on, EVENTS[3:])
    sending = asyncio.create_task(sent(run, ENCODERS["chat"](), client, access(), keep_alive_s=0.001))
    await until(lambda: client.body.count(sse.KEEP_ALIVE) > 2)
    goes_on.set()
    await sending
    whole = ENCODERS["chat"]()
    assert client.body.replace(sse.KEEP_ALIVE, b"") == b"".join(whole.encode(event) for event in EVENTS)
    assert client.complete


async def test_a_body_gets_no_comments() -> None:
    client, goes_on = Client(), asyncio.Event()
    sending = asyncio.create_task(
        sent(Run(goes_on, EVENTS), openai_chat.BodyEncoder(ENVELOPE), client, access(), keep_alive_s=0)
    )
    for _ in range(20):
        await asyncio.sleep(0)
    assert client.sent == []
    goes_on.set()
    await sending
    assert sse.KEEP_ALIVE not in client.body


# The client goes away


@pytest.mark.parametrize("encoder", [*ENCODERS.values(), *BODIES.values()])
@pytest.mark.parametrize("begun", [EVENTS[:0], EVENTS[:3]], ids=["before the first byte", "in the middle"])
async def test_a_client_that_goes_away_ends_the_turn(encoder: Callable[[], Encoder], begun: list[StreamEvent]) -> None:
    client, record, never = Client(), access(), asyncio.Event()
    run = Run(*([begun] if begun else []), never)
    sending = asyncio.create_task(sent(run, encoder(), client, record))
    await until(lambda: run.waits)
    client.gone.set()
    await sending
    assert record.client_gone
    assert not record.aborted
    assert not client.complete
    assert run.closed


# Events past the task


@dataclass
class Flow:
    """A server's flow control, as far as an answer looks at it."""

    write_paused: bool = False


class Streaming:
    """An answer that has begun and waits for more."""

    def __init__(self, client: Client, flow: Flow | None = None) -> None:
        self.access = access()
        self.access.send = client.send
        self.access.flow = cast(FlowControl, flow)
        self.more = asyncio.Event()
        encoder = Telling()
        self.direct = Direct(encoder)
        self._run = Run(EVENTS[:1], self.more, EVENTS[1:])
        answer = Encoded(self._run.events(), encoder)
        self._reply = Reply(answer, dict, self.access, direct=self.direct)
        self._client = client

    async def begin(self) -> "asyncio.Task[None]":
        running = asyncio.create_task(self._reply({"type": "http"}, self._client.receive, self._client.send))
        await until(lambda: self._run.waits)
        return running


async def test_while_an_answer_waits_events_can_be_written_past_its_task() -> None:
    client = Client()
    streaming = Streaming(client, Flow())
    assert not streaming.direct.ready()
    running = await streaming.begin()
    assert streaming.direct.ready()
    streaming.direct.send(EVENTS[1:3])
    assert client.sent[-1]["body"] == b"data: PartStarted\n\ndata: PartDelta\n\n"
    assert client.sent[-1]["more_body"] is True
    streaming.more.set()
    await running
    assert client.complete
    assert not streaming.direct.ready()


@pytest.mark.parametrize("flow", [None, Flow(write_paused=True)])
async def test_nothing_is_written_past_the_task_where_the_client_may_not_read(flow: Flow | None) -> None:
    client = Client()
    streaming = Streaming(client, flow)
    running = await streaming.begin()
    assert not streaming.direct.ready()
    streaming.more.set()
    await running


async def test_a_server_that_waits_although_it_has_room_is_a_defect_and_not_waited_for() -> None:
    class Waiting(Client):
        async def send(self, message: Message) -> None:
            if message.get("body", b"").startswith(b"data: PartStarted"):
                await asyncio.sleep(0)
            await super().send(message)

    client = Waiting()
    streaming = Streaming(client, Flow())
    running = await streaming.begin()
    with pytest.raises(RuntimeError, match="has room"):
        streaming.direct.send(EVENTS[1:2])
    streaming.more.set()
    await running


async def test_events_without_bytes_are_not_written_past_the_task() -> None:
    class Mute(Telling):
        def encode(self, event: StreamEvent) -> bytes:
            return b""

    direct = Direct(Mute())
    assert not direct.ready()
    client = Client()
    direct.reply = Reply(Encoded(Run().events(), Mute()), dict, access())
    direct.send(EVENTS[1:2])
    assert client.sent == []
