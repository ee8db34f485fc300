"""The methods of turns and sessions: chat/*, session/* and tool/*."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lingma_sim import pushes, script
from lingma_sim.faults import Values
from lingma_sim.login import Status
from lingma_sim.replay import RecordedTurn
from lingma_sim.rpc import INTERNAL_ERROR, NO_REPLY, RpcError, text_of
from lingma_sim.sessions import Session
from lingma_sim.turn import Ask, Plan
from lingma_sim.turns import StopRefused

if TYPE_CHECKING:
    from lingma_sim.server import Simulator

Params = Mapping[str, Any]

NOT_LOGGED_IN = 401
"""statusCode of chat/finish, and errorCode of the ack, when nobody is logged in (assumed)."""
NOT_ALLOWED = 403
TOO_MANY = 429

_REFUSED_ACK = {"refused": ("500", "simulated refusal"), "ack": ("110", "daily usage limit")}


def ask(simulator: "Simulator", params: Params) -> Any:
    """Begin a turn; the result is the immediate ack."""
    question = Ask.parse(params)
    refusal = _refusal(simulator, question)
    if refusal is not None:
        return pushes.ask_result(question.request_id, error_code=str(refusal[0]), error_message=refusal[1])
    return _begin(simulator, question, plan(simulator, question))


def _begin(simulator: "Simulator", question: Ask, planned: Plan) -> Any:
    reply = planned.faults.text("ask-reply")
    refused = _REFUSED_ACK.get(reply) or _REFUSED_ACK.get(planned.faults.text("quota"))
    if refused:
        return pushes.ask_result(question.request_id, error_code=refused[0], error_message=refused[1])
    if reply == "error":
        raise RpcError(INTERNAL_ERROR, "simulated error")
    session, task = simulator.begin(question, planned)
    if planned.recorded is not None and planned.recorded.by_request:
        return _recorded_reply(planned.recorded, question, session)
    if reply == "never":
        return NO_REPLY
    result = pushes.ask_result(question.request_id)
    return _after(task, result) if reply == "late" else result


def _recorded_reply(recorded: RecordedTurn, question: Ask, session: Session) -> Any:
    reply = recorded.reply
    if reply is None:
        return NO_REPLY
    error = reply.get("error")
    if isinstance(error, dict):
        raise RpcError(int(error.get("code", INTERNAL_ERROR)), str(error.get("message", "")))
    return recorded.remap(reply.get("result"), question.request_id, session.session_id)


def _after(task: asyncio.Task[None], result: Any) -> "asyncio.Future[Any]":
    """`result`, once `task` has ended."""
    late: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    task.add_done_callback(lambda _: None if late.done() else late.set_result(result))
    return late


def ask_without_reply(simulator: "Simulator", params: Params) -> None:
    """Begin a turn asked for by a notification: a refusal can only be told by chat/finish."""
    question = Ask.parse(params)
    refusal = _refusal(simulator, question)
    if refusal is not None:
        simulator.turns.refuse(question, *refusal)
    else:
        simulator.begin(question, plan(simulator, question))


def _refusal(simulator: "Simulator", question: Ask) -> tuple[int, str] | None:
    if not question.request_id:
        return 400, "requestId is empty"
    if simulator.login.status is not Status.LOGIN:
        return NOT_LOGGED_IN, "not login"
    if not simulator.login.usable:
        return NOT_ALLOWED, "not in whitelist"
    if simulator.turns.is_running(question.request_id):
        return 400, "requestId is in use"
    if simulator.turns.count() and simulator.faults.take_if("serial", "refuse"):
        return TOO_MANY, "TooManyRequests"
    return None


def answer_again(simulator: "Simulator", params: Params) -> Any:
    """Answer an earlier question anew, under its own request id."""
    session = simulator.sessions.get(text_of(params, "sessionId"))
    request_id = text_of(params, "requestId")
    position = session.position(request_id) if session else None
    if session is None or position is None:
        raise RpcError(INTERNAL_ERROR, "chat record not found")
    record = session.records[position]
    question = Ask(request_id, session.session_id, "chat", record.task, record.question, is_reply=True, model="")
    refusal = _refusal(simulator, question)
    if refusal is not None:
        return pushes.ask_result(request_id, error_code=str(refusal[0]), error_message=refusal[1])
    simulator.turns.start(question, session, replace(plan(simulator, question), recorded=None), record)
    return pushes.ask_result(request_id)


def plan(simulator: "Simulator", question: Ask) -> Plan:
    """What will happen in a turn that is begun now."""
    if simulator.options.capture is not None:
        number = simulator.asked
        simulator.asked += 1
        return Plan(script.Script(), Values(), simulator.options.capture.turn(number))
    session = simulator.sessions.get(question.session_id)
    records = session.records if session is not None else []
    earlier = [record.question for record in records if record.request_id != question.request_id]
    written = script.write(question.question, earlier)
    return Plan(written, simulator.faults.for_turn(written.faults))


def stop(simulator: "Simulator", params: Params) -> Any:
    """Cancel a turn; it ends with chat/finish `cancelled` after this ack."""
    return _stop(simulator, request_id=text_of(params, "requestId"))


def stop_session(simulator: "Simulator", params: Params) -> Any:
    """Cancel the turns of a session."""
    return _stop(simulator, session_id=text_of(params, "sessionId"))


def _stop(simulator: "Simulator", **which: str) -> Any:
    try:
        simulator.turns.stop(**which)
    except StopRefused as refused:
        raise RpcError(INTERNAL_ERROR, str(refused)) from refused
    return {"success": True}


def list_sessions(simulator: "Simulator", _: Params) -> Any:
    """All sessions with their turns."""
    return [session.describe(simulator.login.uid) for session in simulator.sessions.all()]


def get_session(simulator: "Simulator", params: Params) -> Any:
    """One session with its turns."""
    session = simulator.sessions.get(_session_id(params))
    if session is None:
        raise RpcError(INTERNAL_ERROR, "session not found")
    return session.describe(simulator.login.uid)


def delete_session(simulator: "Simulator", params: Params) -> Any:
    """Forget a session."""
    session_id = _session_id(params)
    simulator.store.delete(session_id)
    return {"success": simulator.sessions.delete(session_id)}


def clear_sessions(simulator: "Simulator", _: Params) -> Any:
    """Forget all sessions."""
    simulator.sessions.clear()
    simulator.store.clear()
    return {"success": True}


def delete_chat(simulator: "Simulator", params: Params) -> Any:
    """Forget one turn of a session."""
    session = simulator.sessions.delete_record(text_of(params, "requestId") or text_of(params, "id"))
    if session is not None:
        simulator.store.save(session)
    return {"success": session is not None}


def _session_id(params: Params) -> str:
    return text_of(params, "sessionId") or text_of(params, "id")


def current_sessions(simulator: "Simulator", _: Params) -> Any:
    """The sessions with a turn in progress."""
    return {"currentSessionIds": simulator.turns.session_ids()}


def approve_tool(simulator: "Simulator", params: Params) -> Any:
    """Approve or deny a tool call; one that waits for no approval is passed over."""
    simulator.turns.desk.approvals.settle(text_of(params, "toolCallId"), params.get("approval") is True)
    return {"success": True}


def tool_result(simulator: "Simulator", params: Params) -> Any:
    """What a tool gave that was invoked with `async: true`; one that nobody waits for is logged."""
    if not simulator.turns.desk.results.settle(text_of(params, "toolCallId"), params):
        simulator.journal.log("tool/invokeResult for an unknown tool call")
    return {}
