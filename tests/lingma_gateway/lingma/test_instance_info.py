"""An instance whose `.info` cannot be read; all else about instances is tested against the simulator."""

import asyncio
from pathlib import Path

from lingma_contract.health import State
from lingma_gateway.lingma.instance import Instance, InstanceSettings, running
from lingma_gateway.sessions.source import SessionSource


async def test_an_info_file_that_cannot_be_read_does_not_end_the_supervision(tmp_path: Path) -> None:
    (tmp_path / ".info").mkdir()
    tries = 0
    tried = asyncio.Event()

    def changed() -> None:
        nonlocal tries
        tries += instance.health.state is State.RECONNECTING
        tried.set()

    settings = InstanceSettings(
        name="alice",
        work_dir=tmp_path,
        rpc_timeout_s=1,
        startup_timeout_s=1,
        ping_interval_s=1,
        max_in_flight=1,
    )
    instance = Instance(settings, SessionSource(tmp_path, None), None, changed)
    async with asyncio.timeout(5), running(instance):
        while tries < 1:
            tried.clear()
            await tried.wait()
        (tmp_path / ".info").rmdir()
        (tmp_path / ".info").write_text("1\n1\n")
        seen = tries
        while tries <= seen:
            tried.clear()
            await tried.wait()
