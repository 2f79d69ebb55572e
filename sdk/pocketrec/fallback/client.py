"""The fallback client: asks the server within a deadline, and never more than it may."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pocketrec import wire
from pocketrec.fallback import questions
from pocketrec.fallback.breaker import Breaker, Outcome, Permit
from pocketrec.fallback.deadline import Clock, Deadline
from pocketrec.fallback.faults import FaultKind, ServerFault
from pocketrec.fallback.ledger import Ledger, LedgerEntry, now_utc
from pocketrec.fallback.questions import A, Known, Question
from pocketrec.fallback.retry import DEFAULT_RETRY_AFTER_S, RetryBudget, retry_delay_s
from pocketrec.fallback.settings import FallbackSettings, read_token
from pocketrec.fallback.transport import Request, Transport
from pocketrec.fallback.workers import Workers

# Of the check before a server is asked again; nobody waits for it.
_CHECK_MS = 2_000.0

Refusal = Literal["off", "deadline", "circuit"]
"""Why nothing was sent: no URL, too little time, or a server that is left alone for a while."""


@dataclass(frozen=True)
class NoAnswer:
    """There is no answer of the server, and why.

    Attributes:
        kind: A refusal, where nothing was sent, or a fault.
        reason: The same in words.
    """

    kind: Refusal | FaultKind
    reason: str


class FallbackClient:
    """Asks one server for better answers; for any number of threads.

    Whatever the server does, a call ends by its deadline and raises nothing.

    Args:
        settings: Where the server is; without a URL every answer is `NoAnswer("off")`.
        clock: A monotonic clock, the one of the deadlines.
        sleep: Waits so many seconds.
        uniform: Numbers from 0 to 1, for jitter.

    Raises:
        OSError: The file of authorities cannot be read.
        InputError: The token of the environment cannot stand in a header.
    """

    def __init__(
        self,
        settings: FallbackSettings,
        *,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger)
        self.breaker = Breaker(settings.breaker, clock, uniform)
        self._clock, self._sleep, self._uniform = clock, sleep, uniform
        self._transport = Transport(settings) if settings.address is not None else None
        self._workers = Workers(settings.max_in_flight)
        self._checks = Workers(1)
        self._budget = RetryBudget(settings.retry_share)
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._token = None if self._transport is None else read_token(settings.token_env)

    @property
    def counts(self) -> dict[str, int]:
        """How calls ended so far: "answered", or the kind of `NoAnswer`; and "retries"."""
        with self._lock:
            return dict(self._counts)

    def recommend(
        self, request: wire.RecommendRequest, deadline: Deadline, known: Known
    ) -> wire.RecommendAnswer | NoAnswer:
        """The server's best items, each of them in the device's catalogue.

        Args:
            request: What to ask; of its history the newest events are sent.
            deadline: When the caller must have an answer.
            known: Whether the device's catalogue holds an id.
        """
        newest = self.settings.newest_events
        return self._ask(questions.best_items(request, newest, known), deadline)

    def score(self, request: wire.ScoreRequest, deadline: Deadline) -> wire.ScoreAnswer | NoAnswer:
        """The server's scores of candidates; those that it does not know are left out.

        Args:
            request: What to ask; of its history the newest events are sent.
            deadline: When the caller must have an answer.
        """
        return self._ask(questions.scores(request, self.settings.newest_events), deadline)

    def close(self) -> None:
        """Close idle connections. The client stays usable."""
        if self._transport is not None:
            self._transport.close()

    def _ask(self, question: Question[A], deadline: Deadline) -> A | NoAnswer:
        answer = self._try(question, deadline)
        self._count(answer.kind if isinstance(answer, NoAnswer) else "answered")
        return answer

    def _try(self, question: Question[A], deadline: Deadline) -> A | NoAnswer:
        transport = self._transport
        if transport is None:
            return NoAnswer("off", "no server is set")
        usable = deadline.sooner_ms(self.settings.margin_ms)
        if usable.left_ms() < self.settings.least_ms:
            return NoAnswer("deadline", f"{deadline.left_ms():.0f} ms are too little to ask")
        try:
            body = question.body()
        except wire.WireError as error:
            return NoAnswer("request", str(error))
        permit = self.breaker.admit()
        if permit is not None and permit.kind == "check":
            self._check(transport, permit)
            permit = None
        if permit is None:
            return NoAnswer("circuit", "the server failed lately and is left alone for a while")
        return self._with_permit(transport, question, body, permit, usable)

    def _with_permit(
        self,
        transport: Transport,
        question: Question[A],
        body: bytes,
        permit: Permit,
        deadline: Deadline,
    ) -> A | NoAnswer:
        """One try, and another where that is allowed; the breaker is told how it went."""
        outcome: Outcome = "unknown"
        try:
            answer = self._tries(transport, question, body, deadline)
            outcome = "answered"
        except ServerFault as fault:
            # A server that asks for patience is alive; what was not sent says nothing of it.
            neutral = fault.status == 429 or fault.kind in {"busy", "ledger"}
            outcome = "unknown" if neutral else "failed"
            if fault.status in {429, 503}:
                wait_s = fault.retry_after_s
                self.breaker.hold_s(DEFAULT_RETRY_AFTER_S if wait_s is None else wait_s)
            return NoAnswer(fault.kind, str(fault))
        finally:
            self.breaker.settle(permit, outcome)
        return answer

    def _tries(
        self, transport: Transport, question: Question[A], body: bytes, deadline: Deadline
    ) -> A:
        self._budget.deposit()
        try:
            return self._once(transport, question, body, deadline)
        except ServerFault as fault:
            delay_s = retry_delay_s(fault, deadline.left_s(), self._uniform)
            if delay_s is None or not self._budget.withdraw():
                raise
        self._count("retries")
        self._sleep(delay_s)
        return self._once(transport, question, body, deadline)

    def _once(
        self, transport: Transport, question: Question[A], body: bytes, deadline: Deadline
    ) -> A:
        def work() -> A:
            headers = {
                "Content-Type": "application/json",
                "Accept": "application/json",
                wire.TIMEOUT_HEADER: str(max(1, int(deadline.left_ms()))),
                **self._authorization(),
            }
            request = Request("POST", self._path(question.path), headers, body)
            reply = transport.exchange(
                request,
                deadline,
                lambda: self._note(request, question.history_items, question.other_items),
            )
            try:
                return question.read(reply)
            except wire.WireError as error:
                raise ServerFault("schema", str(error)) from error

        return self._workers.run(work, deadline)

    def _check(self, transport: Transport, permit: Permit) -> None:
        """Ask, beside the answer, whether the server is ready again; with nothing of the user."""
        deadline = Deadline.after_ms(_CHECK_MS, self._clock)
        path = self.settings.check_path or "/"
        request = Request("GET", self._path(path), {"Accept": "application/json"})

        def work() -> None:
            outcome: Outcome = "failed"
            try:
                transport.exchange(request, deadline, lambda: self._note(request, 0, 0))
                outcome = "answered"
            except ServerFault as fault:
                # A server without such a page is there all the same.
                if fault.status is not None and fault.status < 500:
                    outcome = "answered"
            finally:
                self.breaker.settle(permit, outcome)

        if self._checks.start(work) is None:
            self.breaker.settle(permit, "unknown")

    def _path(self, path: str) -> str:
        address = self.settings.address
        return (address.prefix if address is not None else "") + path

    def _authorization(self) -> dict[str, str]:
        return {} if self._token is None else {"Authorization": f"Bearer {self._token}"}

    def _note(self, request: Request, history: int, others: int) -> None:
        address = self.settings.address
        if address is not None:
            self.ledger.note(
                LedgerEntry(
                    at=now_utc(),
                    host=address.host,
                    port=address.port,
                    path=request.path,
                    history_items=history,
                    other_items=others,
                    body_bytes=len(request.body or b""),
                    with_token="Authorization" in request.headers,
                    encrypted=address.secure,
                )
            )

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + 1
