"""The recommender for programs on asyncio: each call in a thread, so that the loop never waits."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from pocketrec.recommender.recommender import Recommender
from pocketrec.recommender.user import User

P = ParamSpec("P")
R = TypeVar("R")


class _InThread(Generic[P, R]):
    """A method of the wrapped object as a coroutine, with its own arguments and types.

    Args:
        method: The method of the class that is wrapped.
    """

    def __init__(self, method: Callable[Concatenate[Any, P], R]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(
        self, instance: Any, owner: type | None = None
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        def call(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            return asyncio.to_thread(self._method, instance.sync, *args, **kwargs)

        return call


class _OpenInThread(Generic[P]):
    """`Recommender.open` as a coroutine that gives the asynchronous one."""

    def __init__(self, opening: Callable[P, Recommender]) -> None:
        self._opening = opening

    def __get__(
        self, instance: object, owner: "type[AsyncRecommender]"
    ) -> "Callable[P, Coroutine[Any, Any, AsyncRecommender]]":
        async def call(*args: P.args, **kwargs: P.kwargs) -> "AsyncRecommender":
            return owner(await asyncio.to_thread(self._opening, *args, **kwargs))

        return call


class AsyncUser:
    """A `User` whose methods are awaited; all of them are those of `User`."""

    def __init__(self, user: User) -> None:
        self.sync = user

    record = _InThread(User.record)
    recommend = _InThread(User.recommend)
    score = _InThread(User.score)
    explain = _InThread(User.explain)
    reset_adaptation = _InThread(User.reset_adaptation)
    export = _InThread(User.export)
    erase = _InThread(User.erase)


class AsyncRecommender:
    """A `Recommender` whose methods are awaited. A call that is cancelled still ends its work.

    Args:
        recommender: What does the work; `async with` closes it.
    """

    def __init__(self, recommender: Recommender) -> None:
        self.sync = recommender

    open = _OpenInThread(Recommender.open)
    add_items = _InThread(Recommender.add_items)
    close = _InThread(Recommender.close)

    def user(self, user_id: str) -> AsyncUser:
        """As `Recommender.user`."""
        return AsyncUser(self.sync.user(user_id))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
