"""What was heard, against what is documented: the protocol page, with live captures of 2.11.1 first. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from lingma_gateway.lingma import login, models, updates
from lingma_gateway.smoke.heard import Heard
from lingma_gateway.smoke.report import Judgement, judged, not_tried

STOP_LIMIT_S = 1.0
"""Both for the acknowledgement and for the end of the turn."""
_SERVER_FIELDS = frozenset({"capabilities", "serverInfo", "experimental"})
_AUTH_FIELDS = frozenset(
    {
        *("messageId", "status", "name", "id", "accountId", "token", "refreshToken", "expireTime", "quota"),
        *("whitelist", "orgId", "orgName", "yxUid", "avatarUrl", "email", "userType", "cloudType"),
        "privacyPolicyAgreed",
    }
)
_GROUPS = frozenset({"assistant", "chat", "developer", "inline", "quest"})
_MODEL_FIELDS = frozenset(
    {
        *("key", "displayName", "format", "source", "isReasoning", "isVl", "isDefault", "maxInputTokens"),
        *("url", "apiKey", "model"),
    }
)
_SHOWN_OF_MODEL = ("key", "displayName", "format", "source", "isReasoning", "isVl", "isDefault", "maxInputTokens")
"""Not `url` and `apiKey`: a user's own models have theirs there."""
_PUSHES = frozenset(
    {
        *("chat/process_step_callback", "session/title/update", updates.ANSWER, updates.THINK, updates.FINISH),
        *("chat/notification", "chat/filterTimeout", "context/usage/sync", *updates.TOOL_METHODS),
    }
)
_ANSWER_FIELDS = frozenset({"requestId", "sessionId", "text", "overwrite", "isFiltered", "timestamp", "extra"})
_FINISH_FIELDS = frozenset({"requestId", "sessionId", "reason", "statusCode", "fullAnswer", "extra"})
_TOOL_STATUSES = frozenset({"init", "pending", "running", "finished", "error", "cancelled", "request_finished"})
_MAX_NAMES = 8
"""Names that a finding lists before it says how many more there are."""


def initialize(server: object) -> Judgement:
    """Of the answer to `initialize`."""
    if not isinstance(server, Mapping):
        return judged(["initialize answered no object"], "")
    info = server.get("serverInfo")
    version = info.get("version") if isinstance(info, Mapping) else None
    differences = list(_fields("the answer", server, _SERVER_FIELDS))
    if not isinstance(info, Mapping) or info.get("name") != "lingma" or not isinstance(version, str):
        differences.append("serverInfo does not name lingma and its version")
    facts = {"lingmaVersion": version[:64]} if isinstance(version, str) else {}
    return judged(differences, f"version {facts.get('lingmaVersion')}", **facts)


def auth(status: object) -> Judgement:
    """Of the answer to `auth/status`: only whether fields are there, and two numbers."""
    if not isinstance(status, Mapping):
        return judged(["auth/status answered no object"], "")
    differences = list(_fields("the answer", status, _AUTH_FIELDS))
    found = login.interpret(dict(status))
    if not found.logged_in:
        differences.append(found.message)
    # Only what is unusual: a simulator that is given the report would hold on to it.
    shown = {
        name: status[name]
        for name, usable, largest in (("status", 2, 7), ("whitelist", 3, 5))
        if type(status.get(name)) is int and 1 <= status[name] <= largest and status[name] != usable
    }
    return judged(differences, "logged in", **({"auth": shown} if shown else {}))


def model_lists(result: object, *, logged_in: bool) -> Judgement:
    """Of the answer to `config/queryModels`."""
    if not isinstance(result, Mapping):
        return judged(["config/queryModels answered no object"], "")
    if not logged_in:
        return judged([] if result == {} else ["models are listed although nobody is logged in"], "{}: logged out")
    differences = list(_fields("the answer", result, _GROUPS))
    items = {
        item["key"]: item
        for group in result.values()
        if isinstance(group, list)
        for item in group
        if isinstance(item, Mapping) and isinstance(item.get("key"), str)
    }
    differences += _fields("a model", {name: 0 for item in items.values() for name in item}, _MODEL_FIELDS)
    known = models.parse(dict(result))
    if not known:
        differences.append("no model is listed")
    shown = [
        {name: items[model.key][name] for name in _SHOWN_OF_MODEL if name in items[model.key]}
        for model in known
        if model.key in items
    ]
    return judged(differences, f"{len(known)} models", **({"models": shown} if shown else {}))


def chat(heard: Heard, counted: bool | None) -> Judgement:
    """Of a tiny chat that was asked as a request. `counted`: whether the log had its tokens; None: not looked at."""
    latency = {}
    if heard.chunk_times:
        latency["firstTokenMs"] = _ms(heard.chunk_times[0] - heard.began)
    if len(heard.chunk_times) > 1:
        gaps = len(heard.chunk_times) - 1
        latency["chunkMs"] = round((heard.chunk_times[-1] - heard.chunk_times[0]) * 1000 / gaps)
    replied = heard.acknowledged_s is not None
    said = "the ask was answered as a request" if replied else "the ask was never answered, only pushed to"
    differences = list(_chat_differences(heard, counted))
    return judged(
        [*differences, said] if differences else [],
        f"{len(heard.chunk_times)} pieces; {said}",
        latency=latency,
        askReply="immediate" if replied else "never",
    )


def _chat_differences(heard: Heard, counted: bool | None) -> Iterator[str]:
    if not heard.succeeded:
        yield heard.failure
        return
    if undocumented := _listed({method for method in heard.methods if method not in _PUSHES}):
        yield f"undocumented pushes: {undocumented}"
    if not heard.chunk_times:
        yield "no chat/answer came: the answer is in fullAnswer only"
    yield from _fields("chat/answer", dict.fromkeys(heard.fields.get(updates.ANSWER, _ANSWER_FIELDS)), _ANSWER_FIELDS)
    yield from _fields("chat/finish", heard.finish or {}, _FINISH_FIELDS)
    if counted is False:
        yield "its log has no token count for the request"


def memory(first: Heard, second: Heard, word: str) -> Judgement:
    """Of two turns of one session, the second of which asks for `word`."""
    for heard in (first, second):
        if not heard.succeeded:
            return judged([heard.failure], "")
    differences = []
    if word.lower() not in second.text.lower():
        differences.append("the second turn did not know what the first had said")
    if not first.session_id:
        differences.append("the first turn named no session")
    moved = second.session_id != first.session_id
    return judged(differences, f"remembered; the session's id {'changed' if moved else 'stayed'}")


def at_once(turns: Sequence[Heard]) -> Judgement:
    """Of turns that were asked at the same time."""
    wanted = len(turns)
    failed = [turn for turn in turns if not turn.succeeded]
    if failed:
        return judged([f"{len(failed)} of {wanted} failed: {failed[0].failure}"], "")
    most = overlap(turns)
    slowest_s = max((turn.ended or turn.began) - turn.began for turn in turns)
    said = f"the last of them ended after {_ms(slowest_s)} ms"
    differences = [] if most == wanted else [f"at most {most} of {wanted} ran at once; {said}"]
    return judged(differences, f"{wanted} at once; {said}", concurrentTurns=most)


def overlap(turns: Sequence[Heard]) -> int:
    """How many of the turns ran at one time, each from its first push to its end."""
    spans = [(turn.first_push, turn.ended) for turn in turns if turn.first_push is not None and turn.ended is not None]
    return max((sum(begin <= moment < end for begin, end in spans) for moment, _ in spans), default=0)


def cancel(heard: Heard) -> Judgement:
    """Of a turn that was stopped in the middle."""
    if heard.stopped is None:
        return not_tried(f"nothing could be stopped: {heard.failure if not heard.succeeded else 'it ended too soon'}")
    if not heard.chunk_times and heard.error is not None and heard.first_push is None:
        return not_tried(f"no answer began: {heard.error}")
    return judged(_cancel_differences(heard, heard.stopped), _stop_words(heard, heard.stopped), **_stop_facts(heard))


def _cancel_differences(heard: Heard, stopped: float) -> Iterator[str]:
    if heard.stop_acknowledged_s is None:
        yield "chat/stop was not acknowledged"
    elif heard.stop_acknowledged_s > STOP_LIMIT_S:
        yield f"chat/stop was acknowledged after {_ms(heard.stop_acknowledged_s)} ms"
    if heard.ended is None:
        yield "no chat/finish came"
        return
    if heard.ended - stopped > STOP_LIMIT_S:
        yield f"chat/finish came after {_ms(heard.ended - stopped)} ms"
    reason = str((heard.finish or {}).get("reason", ""))
    if reason != "cancelled":
        yield f"chat/finish has the reason {reason[:60]!r}"


def _stop_words(heard: Heard, stopped: float) -> str:
    ended_s = (heard.ended or stopped) - stopped
    return f"acknowledged in {_ms(heard.stop_acknowledged_s or 0)} ms, ended in {_ms(ended_s)} ms"


def _stop_facts(heard: Heard) -> dict[str, Any]:
    if heard.stop_acknowledged_s is None:
        return {}
    return {"latency": {"stopMs": _ms(heard.stop_acknowledged_s)}}


def refresh(before: object, after: object, ms: int) -> Judgement:
    """Of the answers to `auth/status` on the old and on the new connection."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return judged(["auth/status answered no object"], "")
    changed = [name for name in ("status", "whitelist", "id") if before.get(name) != after.get(name)]
    differences = [f"{name} of auth/status is another on a new connection" for name in changed]
    return judged(differences, f"the same login on a new connection, open in {ms} ms")


def tool(heard: Heard) -> Judgement:
    """Of a turn in agent mode that asks for a tool, stopped at its first tool event."""
    if not heard.tools:
        why = "the model answered without a tool" if heard.succeeded else heard.failure
        return not_tried(f"no tool event came: {why}")
    differences = []
    if any(not named for _, named, _ in heard.tools):
        differences.append("a tool event names no call")
    if unknown := _listed({status for _, _, status in heard.tools if status and status.lower() not in _TOOL_STATUSES}):
        differences.append(f"undocumented tool statuses: {unknown}")
    seen = ", ".join(dict.fromkeys(f"{method} {status}".strip() for method, _, status in heard.tools))
    return judged(differences, f"seen: {seen[:200]}")


def _fields(where: str, found: Mapping[str, object], documented: Collection[str]) -> Iterator[str]:
    if missing := _listed(set(documented) - set(found)):
        yield f"{where} lacks {missing}"
    if further := _listed(set(found) - set(documented)):
        yield f"{where} also has {further}"


def _listed(names: set[str]) -> str:
    shown = sorted(name if name.isprintable() and len(name) <= 40 else "(a long name)" for name in names)
    more = f" and {len(shown) - _MAX_NAMES} more" if len(shown) > _MAX_NAMES else ""
    return ", ".join(shown[:_MAX_NAMES]) + more


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
