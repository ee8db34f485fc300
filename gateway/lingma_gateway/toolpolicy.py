"""What Lingma's own tools may do, tool by tool. Pure.

They run beside the account's session files, or are meant for an IDE that is not there, so nothing is approved that the
setting does not name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ANY = "*"

UNNAMED = "tool"
"""Name of a call of which no push said it: `tool/call/sync` has no field for it. A real name replaces it."""

RUN_BY_CLIENT = frozenset(
    {
        "read_file",
        "save_file",
        "run_in_terminal",
        "get_terminal_output",
        "replace_text_by_path",
        "create_file_with_text",
        "delete_file_by_path",
        "get_problems",
    }
)
"""What Lingma asks its client to do (`tool/invoke`; protocol page: medium). The gateway can do none of it."""


class Rule(StrEnum):
    """What becomes of a call."""

    DENY = "deny"
    APPROVE = "approve"
    """Lingma may; the log tells of it."""
    SHOW = "show"
    """Lingma may, and the client is shown the call and its result."""


@dataclass(frozen=True, slots=True)
class ToolPolicy:
    """The rules of one account."""

    rules: Mapping[str, Rule]
    otherwise: Rule = Rule.DENY

    @classmethod
    def parse(cls, text: str) -> "ToolPolicy":
        """The setting AGENT_TOOLS: `NAME=RULE`, comma-separated. `*=deny` may stand for all others.

        Raises:
            ValueError: the message names the entry.
        """
        rules: dict[str, Rule] = {}
        for position, item in enumerate(filter(None, (item.strip() for item in text.split(","))), start=1):
            name, _, value = (part.strip() for part in item.partition("="))
            if value not in list(Rule):
                raise ValueError(f"entry {position} must be NAME=deny, NAME=approve or NAME=show")
            if not name or name in rules:
                raise ValueError(f"entry {position} needs a name that no other entry has")
            if name == ANY and value != Rule.DENY:
                raise ValueError(f"entry {position}: '*' can only be denied, each tool that may run is to be named")
            if name in RUN_BY_CLIENT and value != Rule.DENY:
                raise ValueError(f"entry {position}: {name} is run by an IDE, which is not here: it can only be denied")
            rules[name] = Rule(value)
        return cls(rules)

    def rule(self, name: str) -> Rule:
        """What becomes of a call of that tool; of one whose name is not known, nothing."""
        return Rule.DENY if name == UNNAMED else self.rules.get(name, self.otherwise)


DENY_ALL = ToolPolicy({})
