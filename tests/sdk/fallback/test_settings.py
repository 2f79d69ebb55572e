"""Where a client may go: URLs, tokens and bounds; what is wrong never shows a secret."""

from dataclasses import asdict

import pytest

from pocketrec.fallback import Deadline, FallbackSettings
from pocketrec.fallback.settings import read_token
from pocketrec_runtime.errors import InputError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://recs.example.com", ("recs.example.com", 443, True, "")),
        ("https://recs.example.com:8443/", ("recs.example.com", 8443, True, "")),
        ("https://recs.example.com/shop/eu/", ("recs.example.com", 443, True, "/shop/eu")),
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000, False, "")),
        ("http://localhost", ("localhost", 80, False, "")),
        ("http://[::1]:9/x", ("::1", 9, False, "/x")),
        ("https://[2001:db8::7]", ("2001:db8::7", 443, True, "")),
        ("HTTPS://Recs.Example.com", ("recs.example.com", 443, True, "")),
    ],
)
def test_an_address_is_read_from_a_url(url: str, expected) -> None:
    assert tuple(asdict(FallbackSettings(url=url).address).values()) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://recs.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://0.0.0.0:80",
    ],
)
def test_plain_http_beyond_this_device_has_to_be_said(url: str) -> None:
    with pytest.raises(InputError, match="in the clear"):
        FallbackSettings(url=url)
    assert FallbackSettings(url=url, allow_plain_http=True).address.secure is False


@pytest.mark.parametrize(
    "url",
    [
        "",
        "recs.example.com",
        "ftp://recs.example.com",
        "file:///etc/passwd",
        "https://",
        "https://:443",
        "https://a b",
        "https://recs.example.com:99999",
        "https://recs.example.com:x",
        "https://recs.example.com/\r\nX-Evil: 1",
        "https://recs.example.com/ü",
        "https://recs.example.com?a=1",
        "https://recs.example.com/#a",
        "https://[::1",
        "https://a,b",
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="URL"):
        FallbackSettings(url=url)


def test_a_password_in_the_url_is_refused_and_not_shown() -> None:
    with pytest.raises(InputError, match="token in the environment") as caught:
        FallbackSettings(url="https://user:hunter2@recs.example.com")
    assert "hunter2" not in str(caught.value)


def test_without_a_url_there_is_no_address() -> None:
    assert FallbackSettings().address is None


@pytest.mark.parametrize(
    "values",
    [
        {"least_ms": -1.0},
        {"ask_share": 1.5},
        {"ask_share": float("nan")},
        {"margin_ms": float("nan")},
        {"retry_share": float("inf")},
        {"newest_events": 0},
        {"max_in_flight": 0},
        {"max_answer_bytes": 0},
        {"max_answer_bytes": 1024 * 1024 + 1},
        {"check_path": "/ready z"},
    ],
)
def test_settings_out_of_bounds_are_refused(values) -> None:
    with pytest.raises(InputError, match=next(iter(values))):
        FallbackSettings(**values)


def test_a_token_comes_from_the_environment_alone() -> None:
    assert read_token("MY_TOKEN", {"MY_TOKEN": "s3cr3t+/="}) == "s3cr3t+/="
    assert read_token("MY_TOKEN", {}) is None
    assert read_token("MY_TOKEN", {"MY_TOKEN": ""}) is None


@pytest.mark.parametrize("token", ["a b", "a\r\nX-Evil: 1", "ü", "a" * 4097])
def test_a_token_that_no_header_takes_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(InputError, match="MY_TOKEN") as caught:
        read_token("MY_TOKEN", {"MY_TOKEN": token})
    assert token not in str(caught.value)


def test_a_deadline_counts_down_and_stops_at_zero() -> None:
    now = [100.0]
    deadline = Deadline.after_ms(250.0, lambda: now[0])
    assert deadline.left_ms() == 250.0
    assert deadline.sooner_ms(50.0).left_ms() == pytest.approx(200.0)
    now[0] = 101.0
    assert deadline.left_s() == 0.0


@pytest.mark.parametrize("budget_ms", [-1.0, float("nan"), float("inf")])
def test_a_deadline_without_end_is_refused(budget_ms: float) -> None:
    with pytest.raises(InputError, match="deadline"):
        Deadline.after_ms(budget_ms)
