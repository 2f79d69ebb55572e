"""Quality beside RecTools: what goes between the environments, the check of answers, the table."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from .conftest import BENCHMARKS, script


@pytest.fixture(scope="module")
def quality() -> Iterator[ModuleType]:
    with script("peers/sasrec_quality.py") as module:
        yield module


@pytest.fixture
def histories(quality: ModuleType):
    return quality.Histories.of([np.array([4, 1, 4]), np.array([2]), np.array([0, 3])])


def test_histories_keep_their_order(histories) -> None:
    assert histories.items.tolist() == [4, 1, 4, 2, 0, 3]
    assert histories.offsets.tolist() == [0, 3, 4, 6]
    assert histories.owners().tolist() == [0, 0, 0, 1, 2, 2]
    assert histories.places().tolist() == [0, 1, 2, 0, 0, 1]
    assert histories.one(2).tolist() == [0, 3]


def test_what_is_written_is_read(quality: ModuleType, histories, tmp_path: Path) -> None:
    other = quality.Histories.of([np.array([9, 8])])
    path = tmp_path / "new" / "exchange.npz"
    quality.Exchange(histories, other, np.array([7]), histories).write(path)
    found = quality.Exchange.read(path)
    for side, wanted in (("train", histories), ("validation", other), ("test", histories)):
        assert getattr(found, side).items.tolist() == wanted.items.tolist()
        assert getattr(found, side).offsets.tolist() == wanted.offsets.tolist()
    assert found.targets.tolist() == [7]


def test_ranks_and_ndcg_by_hand(quality: ModuleType) -> None:
    answers = np.array([range(10, 20), range(20, 30), range(30, 40)])
    ranks = quality.ranks_in(answers, np.array([10, 22, 5]))
    assert ranks.tolist() == [1, 3, 11]
    exchange = sys.modules[quality.Exchange.__module__]
    assert exchange.ndcg(ranks) == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_a_seen_or_repeated_item_is_refused(quality: ModuleType, histories) -> None:
    right = np.array([[*range(10, 19), -1], range(20, 30), range(4, 14)])
    quality.check_answers(right, histories, 30)
    for place, item, said in ((0, 4, "seen"), (1, 21, "repeats"), (2, 30, "no item of 0 to 29")):
        wrong = right.copy()
        wrong[place, 0] = item
        with pytest.raises(ValueError, match=rf"answer {place}, .*{said}"):
            quality.check_answers(wrong, histories, 30)
    with pytest.raises(ValueError, match=r"\(2, 10\); \(3, 10\) was asked"):
        quality.check_answers(right[:2], histories, 30)


def test_the_difference_is_paired_and_in_the_table(quality: ModuleType) -> None:
    ranks = {"pocketrec": np.array([1, 1, 11, 3]), "rectools": np.array([1, 3, 11, 11])}
    results = quality.measured(ranks)
    assert results["pocketrec"]["ndcg@10"]["value"] == pytest.approx(2.5 / 4)
    assert results["rectools"]["ndcg@10"]["value"] == pytest.approx(1.5 / 4)
    assert results["rectools"]["recall@10"]["value"] == pytest.approx(2 / 4)
    difference = results["ndcg@10_difference"]
    assert difference["value"] == pytest.approx((0 + 0.5 + 0 + 0.5) / 4)
    assert difference["ci95"][0] >= 0  # no user is worse
    runs = [
        {"settings": {"n_factors": width}, "versions": {"rectools": "1.2"}, "validation_ndcg@10": v}
        for width, v in ((64, [0.1, 0.3, 0.2]), (128, [0.2, 0.25]))
    ]
    record = {"set": "office", "results": results, "rectools": {"chosen": quality.best_run(runs)}}
    lines = quality.table(record).splitlines()
    assert lines[0].startswith("| office, 4 test queries |")
    assert lines[2].startswith("| pocketrec bundle | 0.6250 (")
    assert lines[3].startswith("| RecTools 1.2 SASRec, 64 wide | 0.3750 (")
    assert lines[4].startswith("| difference, paired | +0.2500 (+")


def test_the_readme_has_the_marks(quality: ModuleType) -> None:
    page = (BENCHMARKS / "peers" / "README.md").read_text(encoding="utf-8")
    assert page.count(f"{quality.BEGIN}\n") == page.count(quality.END) == 1
