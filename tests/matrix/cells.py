"""What a client sees of each fault of the simulator: the expectation of every cell of the matrix, as data.

A row is a fault and two cells: a turn that is answered in one body, and one that is streamed.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from lingma_sim.chunks import DRAFT, REST
from lingma_sim.faults import KINDS, parse_one

TEXT = "one two three four"
HALF = TEXT[: len(TEXT) // 2]
"""What was told before a fault that strikes in the middle."""


class How(Enum):
    """What happens around the question."""

    NOW = "the fault is switched on, and the question asked"
    BESIDE = "another turn runs meanwhile"
    LEAVE = "the client goes away once the turn has begun"
    RECONNECT = "the connection is lost, and the question asked before there is a new one"
    RESTART = "Lingma is started anew, and the question asked before it is ready"
    RESTARTED = "Lingma is started anew, and the question asked once it is ready"
    LOGGED_OUT = "Lingma is started anew, and the question asked once it has lost its login"
    EXPIRED = "tokens are rotated, and the question asked once they have expired"


@dataclass(frozen=True, slots=True)
class Answer:
    """200, and all of it: a body, or a stream that ends with `[DONE]`."""

    text: str | re.Pattern[str] = TEXT
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A status and an error in OpenAI's form, for streams too: nothing was sent before."""

    status: int
    code: str


@dataclass(frozen=True, slots=True)
class Broken:
    """200 and part of the answer; then the connection is aborted, without an end and without `[DONE]`."""

    text: str | re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Left:
    """The client is gone; `chat/stop` reached Lingma."""


Outcome = Answer | Refused | Broken | Left

LOST = Refused(502, "upstream_error")
SILENT = Refused(504, "upstream_timeout")
NOT_READY = Refused(503, "no_ready_account")
QUOTA = Refused(429, "quota_exceeded")
RATE = Refused(429, "rate_limited")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, and what clients see of it."""

    fault: str
    plain: Outcome = Answer()
    stream: Outcome | None = None
    """None: as `plain`."""
    how: How = How.NOW
    prompt: str = f"@sim say {TEXT}"
    asked: Literal["notification", "request"] = "notification"
    """CHAT_ASK_AS."""
    loses_session: bool = False
    """The session stays in Lingma's database: the connection that would have deleted it is gone, or Lingma refuses."""
    stuck: bool = False
    """The turn goes on in Lingma, whatever we ask; only the end of the connection ends it."""

    @property
    def gateway(self) -> str:
        """Which gateway: where the client leaves, no time-out may end the turn before."""
        return "patient" if self.how is How.LEAVE else self.asked

    def expected(self, stream: bool) -> Outcome:
        """What the client sees."""
        return self.stream if stream and self.stream is not None else self.plain

    @property
    def name(self) -> str:
        """For a person."""
        more = [self.how.name.lower()] if self.how is not How.NOW else []
        return " ".join([self.fault, *more, *(["request"] if self.asked == "request" else [])])


def _each(
    fault: str, values: str, plain: Outcome, stream: Outcome | None = None, *, loses_session: bool = False
) -> list[Row]:
    return [Row(f"{fault}={value}", plain, stream, loses_session=loses_session) for value in values.split()]


HANG = f"@sim say {TEXT}\n@sim hang"
SLOW = f"@sim say {TEXT}\n@sim chunks 18\n@sim delay 150"
TOOL = '@sim tool read_file {"filePath": "/x"}\n@sim toolresult'
DENIED = re.compile(r'.*"success": false.*denied by the gateway.*')
ANY_PART = re.compile(".*")

PROCESS = [
    Row("slow-info=0.5", NOT_READY, how=How.RESTART),
    Row("slow-socket=0.5", NOT_READY, how=How.RESTART),
    Row("occupied-ports=2", how=How.RESTARTED),
    Row("crash-start", NOT_READY, how=How.RESTART),
    Row("crash-after=1.2", LOST, Broken(ANY_PART), how=How.RESTARTED, prompt=SLOW, loses_session=True),
    Row("ignore-sigterm", how=How.RESTARTED),
    Row("user-vanishes=0.2", NOT_READY, how=How.LOGGED_OUT),
    Row("serial=queue", how=How.BESIDE),
    Row("serial=refuse", RATE, how=How.BESIDE),
]

WIRE = [
    Row("handshake-refused", NOT_READY, how=How.RECONNECT),
    Row("slow-initialize=0.5", NOT_READY, how=How.RECONNECT),
    Row("split-frames=1"),
    Row("split-frames=7"),
    Row("join-frames=3"),
    *_each("odd-headers", "all lower upper before after spaces nospace", Answer()),
    Row("string-ids"),
    Row("duplicate-replies"),
    Row("late-replies=0.3"),
    *_each("mute", "chat/ask auth/status ping any", Answer()),
    Row("mute=chat/deleteSessionById"),
    Row("mute=initialize", NOT_READY, how=How.RECONNECT),
    Row("mute=chat/stop", Left(), how=How.LEAVE, prompt=HANG),
    *_each("method-error", "ping auth/status", Answer()),
    Row("method-error=chat/deleteSessionById", loses_session=True),
    Row("method-error=initialize", NOT_READY, how=How.RECONNECT),
    Row("method-error=chat/ask", SILENT),
    Row("method-error=chat/ask", LOST, asked="request"),
    Row("method-error=chat/stop", Left(), how=How.LEAVE, prompt=HANG, stuck=True, loses_session=True),
    Row("method-error=any", SILENT),
    *_each("unknown-method", "ping config/queryModels", Answer()),
    Row("unknown-method=chat/deleteSessionById", loses_session=True),
    Row("unknown-method=chat/ask", SILENT),
    Row("unknown-method=chat/ask", LOST, asked="request"),
    Row("ack-timeout=0.2"),
    *_each("image-upload", "refused failed silent", Answer()),
]

LOGIN = [
    *_each("status", "1 3 4 5 6 7", NOT_READY),
    Row("status=2"),
    *_each("whitelist", "1 2 4 5", NOT_READY),
    Row("whitelist=3"),
    Row("no-models"),  # noticed when they are read anew
    Row("no-models", NOT_READY, how=How.LOGGED_OUT),
    Row("token-life=0.3", NOT_READY, how=How.EXPIRED),
    # Nobody logs in during a turn: these are for the tests of the login.
    Row("nonce-life"),
    *_each("refresh", "refused kept error", Answer()),
    Row("token-login-refused"),
    *_each("login-page", "captcha punish sms wrong-password reinitialised refused", Answer()),
]

TURN = [
    *_each("ask-reply", "never late refused error", Answer()),
    Row("ask-reply=never", asked="request"),
    Row("ask-reply=late", asked="request"),
    Row("ask-reply=refused", LOST, asked="request"),
    Row("ask-reply=error", LOST, asked="request"),
    Row("slow-first=0.2"),
    Row("slow-first=60", SILENT, loses_session=True),  # no push has named it
    Row("slow-chunks=0.2"),
    Row("slow-chunks=60", SILENT, Broken(HALF)),
    Row("empty-chunks=3"),
    *_each("overwrite", "extend each", Answer()),
    Row("overwrite=replace", Answer(), Broken(DRAFT)),
    *_each("full-answer", "same only different", Answer()),
    Row("full-answer=longer", Answer(TEXT + REST)),
    *_each("session-change", "middle finish", Answer()),
    Row("no-answer", Answer("")),
    Row("finish-code", LOST, Broken(TEXT)),
    Row("finish-code=408 timeout", SILENT, Broken(TEXT)),
    Row("finish-code=401 not login", NOT_READY, Broken(TEXT)),
    Row("finish-code=110 daily usage limit", QUOTA, Broken(TEXT)),
    Row("finish-code=429 TooManyRequests", RATE, Broken(TEXT)),
    Row("quota=daily", QUOTA),
    Row("quota=rate", RATE),
    Row("quota=ack"),  # a notification has no ack
    Row("quota=ack", QUOTA, asked="request"),
    Row("missing-finish", SILENT, Broken(TEXT)),
    Row("after-finish"),
    *_each("disconnect", "abort close half", LOST, Broken(HALF), loses_session=True),
    Row("disconnect=early", LOST, loses_session=True),
    Row("crash=middle", LOST, Broken(HALF), loses_session=True),
    Row("crash=early", LOST, loses_session=True),
    *_each("malformed-frame", "bare length nolength short huge", LOST, Broken(HALF), loses_session=True),
    # Its frame takes bytes of the next one, which Lingma then waits to have answered.
    Row("malformed-frame=long", SILENT, Broken(HALF), loses_session=True),
    *_each("malformed-json", "syntax array scalar bool-id method params", Answer()),
    Row("unknown-push"),
    Row("other-pushes"),
    Row("foreign-pushes"),
    Row("unacked-stall"),
    Row("one-late", SILENT, loses_session=True),
    Row("stop=no-finish", Left(), how=How.LEAVE, prompt=HANG),
    *[
        Row(f"stop={value}", Left(), how=How.LEAVE, prompt=HANG, stuck=True, loses_session=True)
        for value in ("ignored", "error")
    ],
    Row("tool-async", Answer(DENIED), prompt=TOOL),
    Row("tool-approval", Answer("null"), prompt=TOOL),
    Row("tool-case", Answer(DENIED), prompt=TOOL),
    Row("tool-unfinished", Answer(DENIED), prompt=TOOL),
    Row("tool-named", Answer(DENIED), prompt=TOOL),
    Row("tool-reads=cache/user", Answer("done"), prompt="@sim tool grep_code\n@sim say done"),
    Row("fenced-thinking", Answer(TEXT, "because\n"), prompt=f"@sim think because\n@sim say {TEXT}"),
    Row("fenced-tools", Answer(re.compile(r"```toolCall::read_file::call_\w+::INIT\n```\n.*")), prompt=TOOL),
    Row("context-usage"),
    Row("no-usage-log"),
]

ROWS = [*PROCESS, *WIRE, *LOGIN, *TURN]


def missing() -> set[str]:
    """Faults, and values where a fault has a few, that no row has."""
    wanted = {f"{kind.name}={choice}" for kind in KINDS.values() for choice in kind.choices}
    wanted |= {kind.name for kind in KINDS.values() if not kind.choices}
    had = {parse_one(row.fault) for row in ROWS}
    return wanted - {one.name for one in had} - {f"{one.name}={one.value}" for one in had}
