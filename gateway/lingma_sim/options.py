"""The command line of `start`, read once."""

from dataclasses import dataclass, field
from pathlib import Path

from lingma_sim.accounts import Accounts
from lingma_sim.faults import Chosen
from lingma_sim.replay import Capture
from lingma_sim.report import Report


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of `start`."""

    work_dir: Path
    socket_port: int = 37010
    http_port: int = 37510
    endpoint: str = ""
    info_lines: int = 2
    """2: port and pid; 3: also the path of a pipe."""
    info_json: bool = False
    """Write `.info.json` instead of `.info`."""
    ack_timeout: float = 10.0
    """Seconds to wait for the reply to a push."""
    tool_timeout: float = 60.0
    """Seconds to wait for the reply to tool/invoke."""
    parent_poll: float = 1.0
    """Seconds between two looks at the process of `processId`."""
    record: Path | None = None
    """File that takes every frame as a JSON line, masked."""
    control_port: int | None = None
    """Where the control port listens; None: nowhere, 0: any."""
    login_port: int | None = None
    """Where the login site listens; None: on the HTTP port, 0: any."""
    faults: tuple[Chosen, ...] = ()
    """What is switched on from the start."""
    accounts: Accounts = field(default_factory=Accounts)
    """Who may log in."""
    capture: Capture | None = None
    """Turns to tell instead of scripts."""
    report: Report = field(default_factory=Report)
    """What to imitate."""
