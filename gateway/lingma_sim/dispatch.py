"""From a connection's bytes to methods, and from their results to replies."""

import asyncio
import http
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from lingma_sim import methods, methods_chat, rpc
from lingma_sim.frames import Refused
from lingma_sim.hub import Connection
from lingma_sim.rpc import Call, Malformed, Message, Reply, RpcError

if TYPE_CHECKING:
    from lingma_sim.server import Simulator

UNSUPPORTED_DATA = 1003
"""WebSocket close code for a binary message."""
ANY_METHOD = "any"
"""Value of `mute` and `method-error` that means every method."""


class Dispatcher:
    """The WebSocket's side of the process."""

    def __init__(self, simulator: "Simulator") -> None:
        self._simulator = simulator
        self._accepted = 0

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse what is no WebSocket at the root, before the handshake."""
        if request.path.partition("?")[0] != "/":
            return connection.respond(http.HTTPStatus.NOT_FOUND, "not found\n")
        if self._simulator.faults.take("handshake-refused") is not None:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "simulated\n")
        return None

    async def serve(self, websocket: ServerConnection) -> None:
        """Serve one connection to its end."""
        simulator = self._simulator
        self._accepted += 1
        connection = Connection(self._accepted, websocket, simulator.journal, simulator.faults)
        simulator.hub.connections.add(connection)
        try:
            async for message in websocket:
                if isinstance(message, bytes):
                    simulator.journal.log("binary message refused")
                    await websocket.close(UNSUPPORTED_DATA, "text messages only")
                    return
                self._receive(connection, message.encode())
        except ConnectionClosed:
            simulator.journal.log(f"connection {connection.number} lost")
        finally:
            simulator.hub.connections.discard(connection)
            if not simulator.hub.connections:
                simulator.turns.cancel_all()

    def _receive(self, connection: Connection, data: bytes) -> None:
        journal = self._simulator.journal
        for item in connection.decoder.feed(data):
            if isinstance(item, Refused):
                journal.log(item.reason)
                continue
            match rpc.parse(item.body):
                case Malformed() as malformed:
                    journal.log(f"malformed message: {malformed.message}")
                    connection.send(rpc.error(malformed.id, malformed.code, malformed.message))
                case Reply() as reply:
                    journal.frame("in", connection.number, _as_message(reply))
                    if not connection.settle(reply):
                        journal.log(f"reply to an unknown id on connection {connection.number}")
                case Call() as call:
                    journal.frame("in", connection.number, _as_message(call))
                    self._dispatch(connection, call)

    def _dispatch(self, connection: Connection, call: Call) -> None:
        try:
            value = self._invoke(connection, call)
        except RpcError as refused:
            self._simulator.journal.log(refused.message)
            if call.id is not None:
                self._reply(connection, call, rpc.error(call.id, refused.code, refused.message))
            return
        if call.id is None or value is rpc.NO_REPLY:
            return
        if isinstance(value, asyncio.Future):
            self._simulator.turns.spawn(self._reply_once_known(connection, call, call.id, value))
        else:
            # Sent before any push that the method caused: those wait for the loop.
            self._reply(connection, call, rpc.result(call.id, value))

    async def _reply_once_known(
        self, connection: Connection, call: Call, request_id: rpc.RequestId, value: "asyncio.Future[Any]"
    ) -> None:
        self._reply(connection, call, rpc.result(request_id, await value))

    def _reply(self, connection: Connection, call: Call, message: Message) -> None:
        """Send a reply, unless faults hold it back."""
        faults = self._simulator.faults
        if faults.take_if("mute", call.method) or faults.take_if("mute", ANY_METHOD):
            return
        times = 1 if faults.take("duplicate-replies") is None else 2
        delay = faults.seconds("late-replies")
        if call.method == "initialize":
            delay += faults.seconds("slow-initialize")
        if delay:
            self._simulator.turns.spawn(_send_later(connection, message, times, delay))
        else:
            _send(connection, message, times)

    def _invoke(self, connection: Connection, call: Call) -> Any:
        self._obstruct(call.method)
        method = methods.METHODS.get(call.method)
        if method is None:
            raise RpcError(rpc.METHOD_NOT_FOUND, f"unknown method: {call.method}")
        if not connection.initialized and call.method != "initialize":
            raise RpcError(rpc.NOT_INITIALIZED, "server not initialized")
        if call.params is None:
            raise RpcError(rpc.INVALID_PARAMS, rpc.PARAMS_NOT_AN_OBJECT)
        if call.method == methods.ASK and call.id is None:
            return methods_chat.ask_without_reply(self._simulator, call.params)
        value = method(self._simulator, call.params)
        if call.method == "initialize":
            connection.initialized = True
        return value

    def _obstruct(self, method: str) -> None:
        """Fail a method where a fault says so."""
        faults = self._simulator.faults
        if faults.take_if("unknown-method", method):
            raise RpcError(rpc.METHOD_NOT_FOUND, f"unknown method: {method}")
        if faults.take_if("method-error", method) or faults.take_if("method-error", ANY_METHOD):
            raise RpcError(rpc.INTERNAL_ERROR, f"simulated error of {method}")


def _send(connection: Connection, message: Message, times: int) -> None:
    for _ in range(times):
        connection.send(message)


async def _send_later(connection: Connection, message: Message, times: int, delay: float) -> None:
    await asyncio.sleep(delay)
    _send(connection, message, times)


def _as_message(item: Call | Reply) -> dict[str, Any]:
    if isinstance(item, Call):
        return {"id": item.id, "method": item.method, "params": item.params}
    return {"id": item.id, "result": item.result, "error": item.error}
