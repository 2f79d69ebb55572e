"""Dynamic micro-batching: what waits while the model runs is the next run's batch."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pocketrec.server.failures import RefusedError
from pocketrec.server.model import RankingModel
from pocketrec.server.settings import ServerSettings

Scores = NDArray[np.float32]

# Weight of the newest run in the mean time of one.
_NEWEST_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class _Waiting:
    history: tuple[int, ...]
    answer: asyncio.Future[Scores]
    since_s: float


@dataclass
class BatchAccount:
    """What the batcher did, for metrics.

    Attributes:
        ran: Called after each run with its histories, its seconds, and the seconds that its oldest
            request waited.
    """

    ran: Callable[[int, float, float], None] = field(default=lambda _n, _run_s, _wait_s: None)


class MicroBatcher:
    """Brings waiting histories to the model, many at once, one run at a time.

    The model runs in a thread of its own, so that the loop goes on taking requests.

    Args:
        model: Asked by that thread alone.
        settings: Sizes of batch and queue.
        account: Told of every run.
    """

    def __init__(
        self, model: RankingModel, settings: ServerSettings, account: BatchAccount | None = None
    ) -> None:
        self._model, self._settings = model, settings
        self._account = account or BatchAccount()
        self._queue: deque[_Waiting] = deque()
        self._arrived, self._full = asyncio.Event(), asyncio.Event()
        self._closing = False
        self._run_s = 0.05
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pocketrec-model")
        self._loop: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._queue)

    def start(self) -> None:
        """Begin to answer; called in the event loop."""
        self._loop = asyncio.get_running_loop().create_task(self._answer_forever())

    async def stop(self) -> None:
        """Take no more, answer what waits, and end the thread."""
        self._closing = True
        self._arrived.set()
        if self._loop is not None:
            await self._loop
        self._thread.shutdown()

    async def scores(self, history: tuple[int, ...], deadline_s: float) -> Scores:
        """Scores of the whole catalogue, float32 (items,), finite.

        Args:
            history: Item indices, oldest first, at least one.
            deadline_s: When the answer is of no more use, by the event loop's clock.

        Raises:
            RefusedError: The queue is full, the server stops, the deadline has passed, or the model
                failed.
        """
        if self._closing:
            raise RefusedError(503, "the server is stopping; ask another one")
        if len(self._queue) >= self._settings.max_queue:
            raise RefusedError(
                429, "too many requests wait; ask again later", retry_after_s=self._backlog_s()
            )
        loop = asyncio.get_running_loop()
        waiting = _Waiting(history, loop.create_future(), loop.time())
        self._queue.append(waiting)
        self._arrived.set()
        if len(self._queue) >= self._settings.max_batch:
            self._full.set()
        try:
            async with asyncio.timeout_at(deadline_s):
                return await waiting.answer
        except TimeoutError as error:
            raise RefusedError(504, "the deadline passed before the model answered") from error
        finally:
            # Who gave up makes room for somebody else.
            if waiting in self._queue:
                self._queue.remove(waiting)

    def _backlog_s(self) -> float:
        """How long the queue will take, at most what an app still waits for."""
        runs = 1 + len(self._queue) // self._settings.max_batch
        return min(60.0, runs * self._run_s)

    async def _answer_forever(self) -> None:
        while not (self._closing and not self._queue):
            self._arrived.clear()
            if not self._queue:
                await self._arrived.wait()
                continue
            await self._gather()
            if batch := self._taken():
                await self._answer(batch)

    async def _gather(self) -> None:
        """Let a batch fill for a moment, counted from its oldest request."""
        size, wait_s = self._settings.max_batch, self._settings.max_wait_ms / 1000
        loop = asyncio.get_running_loop()
        until_s = self._queue[0].since_s + wait_s
        if len(self._queue) >= size or self._closing or loop.time() >= until_s:
            return
        self._full.clear()
        try:
            async with asyncio.timeout_at(until_s):
                await self._full.wait()
        except TimeoutError:
            return

    def _taken(self) -> list[_Waiting]:
        """The next batch, without those that nobody waits for any more."""
        batch: list[_Waiting] = []
        while self._queue and len(batch) < self._settings.max_batch:
            waiting = self._queue.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        waited_s = loop.time() - batch[0].since_s
        histories = [waiting.history for waiting in batch]
        try:
            rows, run_s = await loop.run_in_executor(self._thread, self._timed, histories)
        except Exception as error:  # noqa: BLE001 - whatever the model does, the next batch runs
            _fail(batch, RefusedError(500, f"the model failed: {type(error).__name__}"))
            return
        self._run_s += _NEWEST_SHARE * (run_s - self._run_s)
        self._account.ran(len(batch), run_s, waited_s)
        for waiting, row in zip(batch, rows, strict=True):
            if not waiting.answer.done():
                _settle(waiting.answer, row)

    def _timed(self, histories: list[tuple[int, ...]]) -> tuple[Scores, float]:
        started_s = time.perf_counter()
        rows = self._model.scores(histories)
        if rows.shape != (len(histories), len(self._model.catalogue)):
            raise ValueError(f"the model answered {rows.shape}")
        return rows, time.perf_counter() - started_s


def _settle(answer: asyncio.Future[Scores], row: Scores) -> None:
    if np.isfinite(row).all():
        answer.set_result(row)
    else:
        answer.set_exception(RefusedError(500, "the model answered NaN or infinity"))


def _fail(batch: list[_Waiting], error: RefusedError) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
