"""Nothing secret in what the programs said. The file's name puts it after those whose pods it judges."""

import pytest

from tests.e2e.support import Lingma, planted

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120, func_only=True)]


def test_no_secret_is_in_a_log_or_an_event(lingma: Lingma, pool: tuple[str, ...]) -> None:
    for name in pool:
        lingma.chat_with(name, "say something")
    secrets = planted(lingma.kube)
    for needed in ("lingma-api-keys/", "lingma-master/", "alice-bundle/", "alice-gateway/"):
        assert any(where.startswith(needed) for where in secrets), f"no value of {needed}* to look for"
    lingma.evidence.collect(lingma.kube)
    texts = {**lingma.evidence.logs, "Events": lingma.kube.run("get", "events", "--output", "yaml")}
    assert any("/router/" in name for name in texts) and any("/gateway/" in name for name in texts)
    leaked = [f"{where} in {name}" for name, text in texts.items() for where, value in secrets.items() if value in text]
    assert leaked == []
