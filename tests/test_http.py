"""The HTTP routes over a real socket, answered by the real server."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cache_utils.store import CacheStore
from tests.app_server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("http") / "workspace",
        environment={"MAX_CACHE_SIZE_GB": "0.001", "CACHE_CLEANUP_THRESHOLD": "0.5"},
    )
    running.start()
    yield running
    running.kill()


def ask(
    server: Server, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, json.dumps(body) if body is not None else None, headers or {})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_status_lists_every_run_and_names_one(server: Server) -> None:
    from piper_core.runs.run import write_json
    from piper_core.training.config import TrainingConfig

    assert ask(server, "GET", "/status") == (200, {"runs": {}})
    folder = server.workspace / "runs" / "anna"
    folder.mkdir(parents=True)
    write_json(folder / "config.json", TrainingConfig("anna", "/data", max_steps=1).to_dict())
    assert ask(server, "GET", "/status") == (200, {"runs": {"anna": None}})
    assert ask(server, "GET", "/status?run=anna")[0] == 200
    code, answer = ask(server, "GET", "/status?run=../../etc")
    assert code == 404
    assert "no run" in answer["error"]


def test_cleanup_cache_frees_down_to_the_threshold_and_clear_empties(server: Server) -> None:
    # A store with no limit writes what the server, with its limit of 0.001 GB, finds too much.
    store = CacheStore(server.workspace / "cache", max_bytes=10**9)
    for number in range(20):
        store.put(f"{number:064x}", bytes(100_000))
    code, answer = ask(server, "POST", "/cleanup_cache")
    assert code == 200
    assert answer["freed_entries"] > 0
    assert answer["freed_bytes"] >= 100_000 * answer["freed_entries"]
    assert 0 < answer["volume_bytes"] <= answer["limit_bytes"] * 0.5
    code, answer = ask(server, "POST", "/cleanup_cache", {"clear": True})
    assert (code, answer["volume_bytes"]) == (200, 0)


def test_clear_gpu_memory_with_no_run_says_so(server: Server) -> None:
    code, answer = ask(server, "POST", "/clear_gpu_memory")
    assert code == 200
    assert answer["released_bytes"] == 0
    assert answer["gpu"], "a sentence without a card, a list of cards with one"
    assert ask(server, "POST", "/clear_gpu_memory", {"run": "nobody"})[0] == 404


def test_an_unreadable_run_hides_no_other(server: Server) -> None:
    from piper_core.runs.run import write_json
    from piper_core.training.config import TrainingConfig

    folder = server.workspace / "runs" / "damaged"
    folder.mkdir(parents=True)
    write_json(folder / "config.json", TrainingConfig("damaged", "/data", max_steps=1).to_dict())
    (folder / "status.json").write_text("{half")
    code, answer = ask(server, "GET", "/status")
    assert code == 200
    assert "not JSON" in answer["runs"]["damaged"]["error"]
    assert ask(server, "POST", "/clear_gpu_memory")[0] == 200


def test_tensorboard_starts_is_reused_and_stops(server: Server) -> None:
    assert ask(server, "GET", "/tensorboard_status") == (200, {"running": False, "url": None})
    code, started = ask(server, "POST", "/start_tensorboard")
    assert (code, started["reused"]) == (200, False)
    code, again = ask(server, "POST", "/start_tensorboard")
    assert (code, again["reused"], again["url"]) == (200, True, started["url"])
    assert ask(server, "GET", "/tensorboard_status") == (200, {"running": True, "url": started["url"]})
    assert ask(server, "POST", "/stop_tensorboard") == (200, {"stopped": True})
    code, refused = ask(server, "POST", "/stop_tensorboard")
    assert code == 409
    assert "not running" in refused["error"]


@pytest.mark.parametrize("path", ["/clear_gpu_memory", "/cleanup_cache", "/start_tensorboard", "/stop_tensorboard"])
def test_a_post_of_a_foreign_origin_is_refused(server: Server, path: str) -> None:
    code, refused = ask(server, "POST", path, headers={"Origin": "http://evil.example"})
    assert code == 403
    assert "another site" in refused["error"]


def test_the_charts_library_is_served_and_kept_by_the_browser(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/plotly.min.js")
    response = connection.getresponse()
    assert response.status == 200
    assert "max-age" in str(response.getheader("cache-control"))
    assert b"plotly" in response.read()[:2000].lower()


def test_a_rebound_host_is_refused(server: Server) -> None:
    code, refused = ask(server, "GET", "/status", headers={"Host": "rebound.example"})
    assert code == 403
    assert "STUDIO_TOKEN" in refused["error"]


def test_a_body_that_is_no_object_is_refused(server: Server) -> None:
    code, refused = ask(server, "POST", "/cleanup_cache", [1])
    assert code == 400
    assert "JSON object" in refused["error"]


def test_a_token_is_asked_for_and_kept(tmp_path: Path) -> None:
    guarded = Server(tmp_path / "workspace", environment={"STUDIO_TOKEN": "open-sesame"})
    guarded.start()
    try:
        assert ask(guarded, "GET", "/status")[0] == 401
        assert ask(guarded, "GET", "/status", headers={"Authorization": "Bearer open-sesame"})[0] == 200
        connection = http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=60)
        connection.request("GET", "/monitor?token=open-sesame")
        response = connection.getresponse()
        assert response.status == 303
        assert response.getheader("location") == "/monitor"
        cookie = str(response.getheader("set-cookie")).split(";")[0]
        assert ask(guarded, "GET", "/status", headers={"Cookie": cookie})[0] == 200
    finally:
        guarded.kill()
