"""Only this machine, or who knows the token; never another site's page."""

from __future__ import annotations

import pytest

from piper_core.access import is_loopback, refusal, token_in_force

OWN = {"host": "localhost:8501"}


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "studio.localhost"])
def test_names_of_this_machine(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["", "0.0.0.0", "192.168.1.4", "example.org", "localhost.example.org"])
def test_names_of_other_machines(name: str) -> None:
    assert not is_loopback(name)


def test_own_pages_and_scripts_are_served() -> None:
    assert refusal("GET", OWN, token="", given_token="") is None
    assert refusal("POST", OWN, token="", given_token="") is None
    assert refusal("POST", OWN | {"origin": "http://localhost:8501"}, token="", given_token="") is None


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://localhost:9999", "null", "https://localhost.evil:8501"]
)
def test_a_post_of_another_origin_is_refused(origin: str) -> None:
    refused = refusal("POST", OWN | {"origin": origin}, token="", given_token="")
    assert refused is not None
    assert refused.status == 403


def test_a_cross_site_post_without_origin_is_refused() -> None:
    assert refusal("POST", OWN | {"sec-fetch-site": "cross-site"}, token="", given_token="") is not None


def test_a_rebound_name_is_refused() -> None:
    refused = refusal("GET", {"host": "rebound.example:8501"}, token="", given_token="")
    assert refused is not None
    assert "STUDIO_TOKEN" in refused.sentence


def test_the_token_opens_any_name_but_not_another_origin() -> None:
    host = {"host": "studio.example"}
    assert refusal("GET", host, token="s3cret", given_token="s3cret") is None
    wrong = refusal("GET", host, token="s3cret", given_token="guess")
    assert wrong is not None
    assert wrong.status == 401
    assert refusal("POST", host | {"origin": "http://evil.example"}, token="s3cret", given_token="s3cret") is not None


@pytest.mark.parametrize(
    ("setting", "address", "asked"),
    [("", "127.0.0.1", ""), ("", "0.0.0.0", "made"), ("", None, "made"), ("own", "127.0.0.1", "own")],
)
def test_a_token_is_made_when_the_server_listens_beyond_this_machine(setting: str, address: str, asked: str) -> None:
    assert token_in_force(setting, address, "made") == asked
