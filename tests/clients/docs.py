"""What docs/clients.md tells users to set, for the tests to set just that."""

import re

from tests.clients.support import HERE

_PAGE = (HERE.parents[1] / "docs" / "clients.md").read_text()
_ADDRESS = "http://lingma.lingma.svc"


def claude_code(url: str, key: str) -> dict[str, str]:
    """The environment of Claude Code."""
    exports = dict(re.findall(r"^export (\w+)=(.*)$", _block("sh"), re.MULTILINE))
    return {name: value.replace(_ADDRESS, url).replace("$LINGMA_API_KEY", key) for name, value in exports.items()}


def codex(url: str) -> str:
    """Codex's config.toml."""
    return _block("toml").replace(_ADDRESS, url)


def _block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", _PAGE, re.DOTALL)
    assert found is not None
    return found[1]
