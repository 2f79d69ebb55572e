"""The asynchronous form: the same answers, the loop never waits."""

import asyncio
import inspect
import threading

import pytest

from pocketrec import AsyncRecommender, InputError, Recommender, User
from pocketrec.recommender.asynchronous import AsyncUser


def test_the_answers_are_those_of_the_other_form(tiny_bundle, tmp_path) -> None:
    async def work() -> tuple:
        async with await AsyncRecommender.open(tiny_bundle, store=tmp_path) as recommender:
            user = recommender.user("Ada")
            kept = await user.record("50", "click", time_s=5.0)
            answer, scores = await asyncio.gather(user.recommend(2), user.score(["x,y"]))
            return kept, answer, scores, await user.export(), await user.erase()

    kept, answer, scores, exported, erased = asyncio.run(work())
    with Recommender.open(tiny_bundle, store=tmp_path) as recommender:
        user = recommender.user("Ada")
        assert len(recommender.store) == 0
        assert user.record("50", "click", 5.0).item == kept.item == "50"
        assert user.recommend(2) == answer
        assert user.score(["x,y"]) == scores
    assert len(exported["events"]) == erased == 1


def test_calls_run_beside_the_loop_and_raise_in_it(recommender, monkeypatch) -> None:
    threads = []
    record = recommender.store.record

    def noted(*arguments):
        threads.append(threading.current_thread())
        return record(*arguments)

    monkeypatch.setattr(recommender.store, "record", noted)

    async def work() -> None:
        user = AsyncRecommender(recommender).user("Ada")
        await user.record("50")
        with pytest.raises(InputError, match="k"):
            await user.recommend(0)

    asyncio.run(work())
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize(("plain", "awaited"), [(User, AsyncUser), (Recommender, AsyncRecommender)])
def test_no_method_is_forgotten(plain, awaited) -> None:
    own = {
        name
        for name, member in inspect.getmembers(plain, inspect.isroutine)
        if not name.startswith("_")
    }
    inner = (
        {"view", "deadline", "improved", "now_s", "erase", "history"}
        if plain is Recommender
        else set()
    )
    assert own - inner <= set(dir(awaited))
