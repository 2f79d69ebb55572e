"""When a request goes once more, and that retries stay a share of requests."""

import pytest

from pocketrec.fallback.faults import ServerFault
from pocketrec.fallback.retry import RetryBudget, parse_retry_after, retry_delay_s


def delay(kind: str = "status", left_s: float = 4.0, uniform: float = 0.5, **more) -> float | None:
    return retry_delay_s(ServerFault(kind, "", **more), left_s, lambda: uniform)


@pytest.mark.parametrize("kind", ["refused", "broken", "truncated"])
def test_a_broken_connection_is_tried_again_after_a_jitter(kind: str) -> None:
    assert delay(kind) == 0.01
    assert delay(kind, uniform=1.0) == 0.02


@pytest.mark.parametrize(
    "kind", ["dns", "tls", "timeout", "redirect", "not_json", "too_large", "schema", "ledger"]
)
def test_what_would_only_happen_again_is_not_tried_again(kind: str) -> None:
    assert delay(kind) is None


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_server_under_load_is_tried_again(status: int) -> None:
    assert delay(status=status) == 0.01


@pytest.mark.parametrize("status", [400, 401, 404, 500, 504])
def test_other_statuses_are_not(status: int) -> None:
    assert delay(status=status) is None


def test_the_wait_that_the_server_asks_for_is_kept_in_full() -> None:
    assert delay(status=503, retry_after_s=1.0) == 1.01


def test_a_wait_that_leaves_no_time_is_not_begun() -> None:
    assert delay(status=503, retry_after_s=2.0) is None
    assert delay("refused", left_s=0.02) is None


def test_three_retries_at_the_start_then_one_in_ten_requests() -> None:
    budget = RetryBudget(share=0.1, most=3.0)
    assert [budget.withdraw() for _ in range(4)] == [True, True, True, False]
    for _ in range(11):  # ten tenths are just below one in floating point
        budget.deposit()
    assert [budget.withdraw(), budget.withdraw()] == [True, False]


def test_a_long_calm_saves_up_no_storm() -> None:
    budget = RetryBudget(share=0.1, most=3.0)
    for _ in range(1000):
        budget.deposit()
    assert sum(budget.withdraw() for _ in range(10)) == 3


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), (" 2 ", 2.0), ("0", 0.0), ("86400", 300.0), ("9" * 5000, 300.0), (None, None),
     ("", None), ("-1", None), ("1.5", None), ("٣", None), ("inf", None),
     ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)  # fmt: skip
def test_retry_after_is_seconds_and_at_most_five_minutes(header, seconds) -> None:
    assert parse_retry_after(header) == seconds
