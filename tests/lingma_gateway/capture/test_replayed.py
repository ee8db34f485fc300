"""A capture made by the tap between a gateway and a Lingma, told again by the simulator to another gateway."""

import asyncio
import json
import signal
from pathlib import Path

import httpx

from lingma_gateway.lingma import infofile
from lingma_sim import replay
from tests.lingma_gateway.commands.test_record import recording
from tests.lingma_sim.support import log_in, running
from tests.support.programs import PATIENCE_S, Program

QUESTION = "@sim think Let me see.\n@sim say one two three\n@sim chunks 5"


def answers(work_dir: Path, port: int) -> tuple[dict[str, str], list[str]]:
    """What a gateway that attaches to the Lingma at `port` answers: as a body, and the pieces of a stream."""
    environment = {
        "API_KEYS": "sk-a",
        "LINGMA_WORK_DIR": str(work_dir),
        "LINGMA_SOCKET_PORT": str(port),
        "DRAIN_PROPAGATION_SECONDS": "0",
    }
    chat = {"messages": [{"role": "user", "content": QUESTION}]}
    with Program("lingma_gateway", ["serve", "--port", "0"], environment) as program:
        url = f"http://127.0.0.1:{program.wait_for('listening')['ports'][0]}/v1/chat/completions"
        program.wait_for("lingma_state", new_state="ready")
        with httpx.Client(headers={"Authorization": "Bearer sk-a"}, timeout=PATIENCE_S, trust_env=False) as client:
            body = client.post(url, json=chat).json()
            stream = client.post(url, json={**chat, "stream": True}).text
    chunks = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    return body["choices"][0]["message"], [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]


async def test_what_the_tap_recorded_the_simulator_tells_again(tmp_path: Path) -> None:
    capture, front, work = tmp_path / "capture.jsonl", tmp_path / "front", tmp_path / "work"
    log_in(work, "alice")
    async with running(work):
        arguments = ["--work-dir", str(work), "--info-dir", str(front), "--to", str(capture), "--keep-prompts"]
        with await asyncio.to_thread(lambda: recording(*arguments)) as process:
            info = infofile.read(front)
            assert info is not None
            first = await asyncio.to_thread(answers, tmp_path / "first", info.port)
            process.send_signal(signal.SIGINT)
            await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
    log_in(tmp_path / "again", "alice")
    async with running(tmp_path / "again", capture=replay.parse(capture.read_text())) as simulator:
        again = await asyncio.to_thread(answers, tmp_path / "second", simulator.socket_port)
    assert (first[0]["content"], first[0]["reasoning_content"]) == ("one two three", "Let me see.")
    assert again == first
