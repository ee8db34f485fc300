"""A connection against a Lingma that says exactly what the test tells it to."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from lingma_gateway.codec import jsonrpc
from lingma_gateway.codec.frames import FrameDecoder, encode_frame
from lingma_gateway.errors import ClientTooSlow, QuotaExceeded, UpstreamLost, UpstreamRefused, UpstreamTimeout
from lingma_gateway.lingma.connection import Connection, open_connection
from lingma_gateway.lingma.toolanswers import ToolAnswers
from lingma_gateway.lingma.updates import Pushed, Spoken
from lingma_gateway.toolpolicy import ToolPolicy

SECONDS = 5.0
Message = dict[str, Any]


class Lingma:
    """The other end: answers `initialize`, keeps what it receives, says what it is told to."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[Message] = asyncio.Queue()
        self.socket: ServerConnection | None = None
        self.messages = 0
        """How many came, whatever they held."""

    async def serve(self, socket: ServerConnection) -> None:
        self.socket = socket
        decoder = FrameDecoder()
        async for data in socket:
            self.messages += 1
            for body in decoder.feed(data if isinstance(data, bytes) else data.encode()):
                message = json.loads(body)
                if message.get("method") == "initialize":
                    await self.say({"id": message["id"], "result": {"capabilities": {}}})
                await self.received.put(message)

    async def say(self, message: Message) -> None:
        await self.write(encode_frame(json.dumps({"jsonrpc": "2.0", **message}).encode()))

    async def push(self, method: str, id: Any = 1, **params: Any) -> None:
        await self.say({"id": id, "method": method, "params": params})

    async def write(self, data: bytes) -> None:
        assert self.socket is not None
        await self.socket.send(data.decode())

    async def next(self) -> Message:
        async with asyncio.timeout(SECONDS):
            return await self.received.get()


@asynccontextmanager
async def connected(
    process_id: int | None = None,
    pushed: list[str] | None = None,
    rpc_timeout_s: float = SECONDS,
    *,
    whole: bool = False,
) -> AsyncIterator[tuple[Lingma, Connection]]:
    """Both ends, after `initialize`."""
    lingma, others = Lingma(), pushed if pushed is not None else []
    async with serve(lingma.serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with open_connection(
            port,
            process_id=process_id,
            rpc_timeout_s=rpc_timeout_s,
            on_push=lambda method, _: others.append(method),
            whole=whole,
        ) as (connection, _):
            yield lingma, connection


def spoken(request_id: str, id: int | None, said: str) -> bytes:
    return encode_frame(jsonrpc.encode_call("chat/answer", {"requestId": request_id, "text": said}, id))


def text(pushed: Pushed) -> str:
    assert isinstance(pushed, Spoken)
    return pushed.params.text


@pytest.mark.parametrize("process_id", [None, 7])
async def test_initialize_is_an_object_and_process_id_null_when_attached(process_id: int | None) -> None:
    async with connected(process_id) as (lingma, _):
        message = await lingma.next()
    assert message["method"] == "initialize"
    assert message["params"]["processId"] == process_id
    assert message["params"]["workspaceFolders"] == []


@pytest.mark.parametrize("id", [1, "1", 0, "x"])
@pytest.mark.parametrize("method", ["chat/answer", "auth/report", "lingma/unheardOf", "tool/call/sync"])
async def test_every_push_with_an_id_is_acknowledged_whatever_its_method(method: str, id: Any) -> None:
    async with connected() as (lingma, _):
        await lingma.next()
        await lingma.push(method, id, requestId="of-another-client")
        assert await lingma.next() == {"jsonrpc": "2.0", "id": id, "result": {}}


async def test_a_push_without_an_id_is_not_answered_and_one_for_nobody_is_handed_on() -> None:
    pushed: list[str] = []
    async with connected(pushed=pushed) as (lingma, _):
        await lingma.next()
        await lingma.say({"method": "auth/report", "params": {}})
        await lingma.push("chat/answer", 5, requestId="of-another-client")
        assert (await lingma.next())["id"] == 5
    assert pushed == ["auth/report"]


async def test_a_malformed_push_that_waits_for_an_answer_is_refused() -> None:
    async with connected() as (lingma, _):
        await lingma.next()
        await lingma.say({"id": 9, "method": "chat/answer", "params": [1]})
        answered = await lingma.next()
    assert (answered["id"], answered["error"]["code"]) == (9, -32600)


async def test_acknowledgements_do_not_wait_for_the_reader_of_a_turn() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes:
            for number in range(500):
                await lingma.push("chat/answer", number, requestId="r", text=str(number))
                assert (await lingma.next())["id"] == number
            texts = [text(await pushes.next(SECONDS, "answer")) for _ in range(500)]
    assert texts == [str(number) for number in range(500)]


async def test_all_pushes_of_one_read_are_one_batch_for_their_turn() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes, connection.turn("other") as others:
            frames = [spoken("r", 1, "a"), spoken("other", 2, "x"), spoken("r", 3, "b"), spoken("r", None, "c")]
            await lingma.write(b"".join(frames))
            assert [text(each) for each in await pushes.batch(SECONDS, "answer")] == ["a", "b", "c"]
            assert [text(each) for each in await others.batch(SECONDS, "answer")] == ["x"]
        assert [(await lingma.next())["id"] for _ in range(3)] == [1, 2, 3]


async def test_each_of_many_pushes_is_acknowledged_in_a_message_of_its_own() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r"):
            for number in range(200):
                await lingma.write(spoken("r", number, "a"))
            assert [(await lingma.next())["id"] for _ in range(200)] == list(range(200))
        assert lingma.messages == 201
        assert connection.under_way == 0


async def test_a_push_in_an_unusual_form_is_the_same_to_its_turn() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes:
            await lingma.push("chat/answer", "text as an id", requestId="r", text=None)
            assert await pushes.next(SECONDS, "answer") == ("chat/answer", {"requestId": "r", "text": None})
            assert (await lingma.next())["id"] == "text as an id"


async def test_who_looks_at_what_lingma_sends_gets_every_push_whole() -> None:
    async with connected(whole=True) as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes:
            await lingma.push("chat/answer", 1, requestId="r", text="a", timestamp=7)
            expected = {"requestId": "r", "text": "a", "timestamp": 7}
            assert await pushes.next(SECONDS, "answer") == ("chat/answer", expected)


async def test_a_turn_that_nobody_reads_ends_and_holds_up_no_acknowledgement() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes:
            for number in range(1, 11):
                await lingma.push("chat/answer", number, requestId="r", text="x" * 1_000_000)
                assert (await lingma.next())["id"] == number
            with pytest.raises(ClientTooSlow):
                await pushes.batch(SECONDS, "answer")
            assert pushes.arrived() == []


async def test_a_tool_is_denied_in_its_reply() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r"):
            await lingma.push("tool/invoke", 3, requestId="r", toolCallId="c", name="read_file")
            result = (await lingma.next())["result"]
    assert (result["toolCallId"], result["success"], result["result"]) == ("c", False, {})


async def test_an_asynchronous_tool_is_acknowledged_and_then_denied_by_a_request_of_ours() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r"):
            await lingma.push("tool/invoke", 3, requestId="r", toolCallId="c", name="read_file", **{"async": True})
            assert (await lingma.next())["result"] == {}
            told = await lingma.next()
        assert told["method"] == "tool/invokeResult"
        assert (told["params"]["toolCallId"], told["params"]["success"]) == ("c", False)
        assert connection.under_way == 0


async def test_a_tool_call_that_waits_for_approval_is_denied_and_never_approved() -> None:
    ids = {"requestId": "r", "sessionId": "s", "toolCallId": "c"}
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r"):
            await lingma.push("tool/call/sync", 3, **ids, toolCallStatus="PENDING")
            assert (await lingma.next())["id"] == 3
            told = await lingma.next()
    assert told["method"] == "tool/call/approve"
    assert told["params"] == {"type": "tool_call", **ids, "approval": False}


async def test_a_tool_that_the_policy_names_is_approved_once() -> None:
    ids = {"requestId": "r", "sessionId": "s", "toolCallId": "c"}
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r", ToolAnswers(ToolPolicy.parse("list_dir=approve"))) as pushes:
            for number in (3, 4):
                await lingma.push("tool/call/sync", number, **ids, name="list_dir", toolCallStatus="PENDING")
            told = [await lingma.next() for _ in range(3)]
            assert len([await pushes.next(SECONDS, "pushes") for _ in range(2)]) == 2
    approvals = [message for message in told if message.get("method") == "tool/call/approve"]
    assert [message["params"] for message in approvals] == [{"type": "tool_call", **ids, "approval": True}]


async def test_a_push_about_a_tool_that_names_no_request_goes_to_the_turn_that_knows_its_call() -> None:
    pushed: list[str] = []
    async with connected(pushed=pushed) as (lingma, connection):
        await lingma.next()
        with connection.turn("other"), connection.turn("r") as pushes:
            await lingma.push("tool/invoke", 3, requestId="r", toolCallId="c", name="read_file")
            await lingma.push("tool/invokeResult", 4, toolCallId="c", result="x")
            await lingma.push("tool/invokeResult", 5, toolCallId="never seen", result="x")
            assert [(await lingma.next())["id"] for _ in range(3)] == [3, 4, 5]
            taken = [await pushes.next(SECONDS, "pushes") for _ in range(2)]
    assert [None if isinstance(each, Spoken) else each[0] for each in taken] == ["tool/invoke", "tool/invokeResult"]
    assert pushed == ["tool/invokeResult"]


async def test_a_tool_of_another_client_is_left_to_it() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        await lingma.push("tool/invoke", 3, requestId="of-another-client")
        await lingma.push("chat/answer", 4, requestId="of-another-client")
        assert (await lingma.next())["id"] == 4
        assert connection.under_way == 0


@pytest.mark.parametrize("loss", ["bytes that are no frames", "the end of the socket"])
async def test_a_lost_connection_fails_turns_and_calls_at_once(loss: str) -> None:
    async with connected(rpc_timeout_s=600) as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes:
            calling = asyncio.create_task(connection.request("ping", {}))
            await lingma.next()
            if loss == "the end of the socket":
                assert lingma.socket is not None
                lingma.socket.transport.abort()
            else:
                await lingma.write(b"no frames\r\n\r\n")
            async with asyncio.timeout(SECONDS):
                for waiting in (pushes.next(600, "answer"), calling):
                    with pytest.raises(UpstreamLost):
                        await waiting
                assert connection.lost
                # The socket may still be open: nobody reads from it any more, so that an answer would never come.
                with pytest.raises(UpstreamLost):
                    await connection.request("ping", {})
        with connection.turn("later") as pushes, pytest.raises(UpstreamLost):
            await pushes.next(SECONDS, "answer")


async def test_silence_is_a_time_out_that_says_what_was_waited_for() -> None:
    async with connected() as (_, connection):
        with (
            connection.turn("r") as pushes,
            pytest.raises(UpstreamTimeout, match="no more of its answer"),
        ):
            await pushes.next(0.01, "more of its answer")


async def test_a_call_that_is_not_answered_in_time_fails_and_its_late_and_repeated_answers_disturb_nothing() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with pytest.raises(UpstreamTimeout, match="ping"):
            await connection.request("ping", {}, 0.01)
        late = (await lingma.next())["id"]
        calling = asyncio.create_task(connection.request("auth/status", {}))
        answered = (await lingma.next())["id"]
        for id in (late, late, answered, answered):
            await lingma.say({"id": id, "result": {"for": id}})
        assert await calling == {"for": answered}
        assert connection.under_way == 0


async def test_an_ask_is_a_notification_or_a_request_whose_reply_is_not_waited_for() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes:
            await connection.ask({"requestId": "r"}, pushes, as_request=False)
            assert "id" not in await lingma.next()
        with connection.turn("r") as pushes:
            await connection.ask({"requestId": "r"}, pushes, as_request=True)
            assert "id" in await lingma.next()
            await lingma.push("chat/answer", requestId="r")
            assert text(await pushes.next(SECONDS, "answer")) == ""
        assert connection.under_way == 0


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ({"result": {"isSuccess": False, "errorCode": "110", "errorMessage": "daily usage limit"}}, QuotaExceeded),
        ({"error": {"code": -32603, "message": "no"}}, UpstreamRefused),
    ],
)
async def test_a_reply_that_refuses_an_ask_ends_the_turn_at_once(reply: Message, kind: type[Exception]) -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes:
            await connection.ask({"requestId": "r"}, pushes, as_request=True)
            await lingma.say({"id": (await lingma.next())["id"], **reply})
            with pytest.raises(kind):
                await pushes.next(600, "answer")
        assert connection.under_way == 0


async def test_a_reply_that_accepts_an_ask_is_no_event_of_the_turn() -> None:
    async with connected() as (lingma, connection):
        await lingma.next()
        with connection.turn("r") as pushes:
            await connection.ask({"requestId": "r"}, pushes, as_request=True)
            await lingma.say({"id": (await lingma.next())["id"], "result": {"isSuccess": True, "errorCode": ""}})
            await lingma.push("chat/finish", requestId="r")
            assert await pushes.next(SECONDS, "answer") == ("chat/finish", {"requestId": "r"})


async def test_a_port_where_nothing_listens_is_a_lost_connection() -> None:
    async with serve(Lingma().serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
    with pytest.raises(UpstreamLost, match=f"port {port}"):
        async with open_connection(port, process_id=None, rpc_timeout_s=1, on_push=lambda *_: None):
            raise AssertionError


async def test_a_call_that_is_lost_while_it_is_being_sent_leaves_no_exception_that_nobody_takes() -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
    async with connected() as (lingma, connection):
        await lingma.next()
        assert lingma.socket is not None
        calling = asyncio.create_task(connection.request("ping", {"filling": "x" * 9_000_000}))
        await asyncio.sleep(0)  # it has begun to send
        lingma.socket.transport.abort()
        with pytest.raises(UpstreamLost):
            await calling
        del calling
    gc.collect()
    assert complaints == []
