"""`pocketrec serve --ray`: two replicas on a local Ray answer as the engine does.

Costs a local cluster: about half a minute of one core, and 1.5 GB of memory while it runs.
"""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from pocketrec_runtime import Engine

GOLDEN = Path(__file__).parents[1] / "golden" / "v1_1" / "rings"
TOKEN = "token-for-ray-replicas"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.ray
def test_two_replicas_answer_as_the_engine(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "pocketrec", "serve", str(GOLDEN), "--ray", "--replicas",
               "2,2", "--port", str(port), "--token-env", "TOKEN_OF_TEST"]  # fmt: skip
    # Ray keeps a token of its own in the home folder; a slow machine's proxy may take its time.
    environment = os.environ | {
        "TOKEN_OF_TEST": TOKEN,
        "HOME": str(tmp_path),
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "120",
    }
    engine = Engine.open(GOLDEN)
    histories = [list(engine.catalogue.ids[n : n + 1 + n % 4]) for n in range(16)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "on Ray at" in line)
            url = said.split()[-1]
            client = httpx.Client(
                base_url=url,
                trust_env=False,
                timeout=60,
                headers={"Authorization": f"Bearer {TOKEN}"},
            )

            def ask(history: list[str]) -> dict[str, object]:
                return client.post("/v1/recommend", json={"history": history, "k": 4}).json()

            with client, ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(ask, histories))
            assert httpx.get(f"{url}/v1/items", trust_env=False).status_code == 401
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
        finally:
            process.kill()
    for history, answer in zip(histories, answers, strict=True):
        expected = engine.recommend(history, 4)
        assert [item["id"] for item in answer["items"]] == [i.item_id for i in expected.items]
