"""MIND and DKN from miniature files: expectations written by hand."""

from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.data import DataSettings, clean
from pocketrec_distill.data.formats import dkn, mind
from pocketrec_distill.data.inputs import read_inputs
from pocketrec_distill.errors import DataError

NEWS = (
    'N1\tnews\tnewsus\tA "quoted" title\tAn abstract.\thttps://x/1\t[]\t[]\n'
    "N2\tsports\tsoccer\tSecond\t\thttps://x/2\t[]\t[]\n"
    "N3\ttv\ttvnews\tThird\tMore.\thttps://x/3\t[]\t[]\n"
    "N4\ttv\ttvnews\tFourth\tMore.\thttps://x/4\t[]\t[]\n"
)
TRAIN = (
    "1\tU2\t11/13/2019 8:36:57 AM\t\tN1-1\n"
    "2\tU1\t11/14/2019 1:00:00 PM\tN1 N2 N1\tN3-0 N4-1 N4-0\n"
    "3\tU1\t11/13/2019 8:36:58 AM\tN1 N2 N1\tN2-0 N3-1\n"
)
VALID = "4\tU9\t\tN2\tN1-0 N3-1\n"


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("news", "train", "valid"),
    [
        ("news.tsv", "train/behaviors.tsv", "valid/behaviors.tsv"),
        (
            "MINDsmall_train/news.tsv",
            "MINDsmall_train/behaviors.tsv",
            "MINDsmall_dev/behaviors.tsv",
        ),
    ],
)
def test_mind_in_its_layouts(tmp_path: Path, news: str, train: str, valid: str) -> None:
    write(tmp_path / news, NEWS.replace("\n", "\r\n"))
    write(tmp_path / train, "\ufeff" + TRAIN)
    write(tmp_path / valid, VALID)
    read = mind(tmp_path, DataSettings())
    assert read.items is not None
    assert read.items.column("news_id").to_pylist() == ["N1", "N2", "N3", "N4"]
    assert read.items.column("title")[0].as_py() == 'A "quoted" title'
    assert read.items.column("subcategory").to_pylist() == ["newsus", "soccer", "tvnews", "tvnews"]
    first = read.impressions["train"]
    assert first.histories == ((), ("N1", "N2", "N1"), ("N1", "N2", "N1"))
    assert first.candidates[1] == ("N3", "N4")
    assert first.labels[1].tolist() == [0, 1]  # a click beside a non-click of one item counts
    assert first.times[1] - first.times[2] == 86_400 + 4 * 3600 + 23 * 60 + 2
    assert np.isnan(read.impressions["valid"].times).all()


def test_mind_interactions_are_histories_and_then_clicks_in_time(tmp_path: Path) -> None:
    write(tmp_path / "news.tsv", NEWS)
    write(tmp_path / "behaviors.tsv", TRAIN)
    read = mind(tmp_path, DataSettings())
    assert set(read.impressions) == {"train"}
    events, _ = clean(read.interactions, read.settings)
    by_user = {
        user: [events.item_ids[item] for item in events.items[events.users == code]]
        for code, user in enumerate(events.user_ids)
    }
    assert by_user == {"U2": ["N1"], "U1": ["N1", "N2", "N1", "N3", "N4"]}
    # A history lies before the log's first impression, which is U2's.
    of_u1 = events.times[events.users == events.user_ids.index("U1")]
    log_start = events.times[events.users == events.user_ids.index("U2")].item()
    assert (of_u1 - log_start).tolist() == [-3, -2, -1, 1, 1 + 86_400 + 4 * 3600 + 23 * 60 + 2]


@pytest.mark.parametrize(
    ("behaviors", "said"),
    [
        ("1\tU1\t\tN1\tN2-0\textra\n", r"line 1: 6 values where 5 are expected"),
        (TRAIN + "4\tU1\t\tN1\tN2 N3\n", r"line 4: candidate 'N2' has no label"),
        ("1\tU1\t\tN1\t\n", r"line 1: no candidate was shown"),
        ("", r"behaviors.tsv is empty"),
    ],
)
def test_mind_malformed(tmp_path: Path, behaviors: str, said: str) -> None:
    write(tmp_path / "news.tsv", NEWS)
    write(tmp_path / "behaviors.tsv", behaviors)
    with pytest.raises(DataError, match=said):
        mind(tmp_path, DataSettings())


def test_mind_that_is_not_there_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"looked for news.tsv and behaviors.tsv"):
        mind(tmp_path, DataSettings())


CLICKS = (
    "0\tfirst title\t0\t11:One Name\n"
    "0\tsecond title\t1\t12:Two;13:Three\n"
    "0\tthird title\t1\t\n"
    "1\tsecond title\t0\t12:Two;13:Three\n"
)


@pytest.mark.parametrize("part", ["", "train", "MINDsmall_dev"])
@pytest.mark.parametrize("name", ["behaviors.tsv", "news.tsv"])
def test_a_file_of_mind_names_its_folder(tmp_path: Path, part: str, name: str) -> None:
    for each in {part, "train" if part else ""}:
        write(tmp_path / "set" / each / "news.tsv", NEWS)
        write(tmp_path / "set" / each / "behaviors.tsv", TRAIN)
    events = tmp_path / "events.csv"
    write(events, "user,item\nu,N1\n")
    path = tmp_path / "set" / part / name
    paths = (events, path) if name == "news.tsv" else (path, None)
    with pytest.raises(DataError, match=f"{name} is MIND's.* --interactions .*/set$"):
        read_inputs(*paths, DataSettings())


def test_files_that_are_only_called_so_are_tables(tmp_path: Path) -> None:
    write(tmp_path / "news.tsv", "news_id\ttitle\nN1\tOne\n")
    write(tmp_path / "behaviors.tsv", "user_id\tnews_id\nU1\tN1\n")
    inputs = read_inputs(tmp_path / "behaviors.tsv", tmp_path / "news.tsv", DataSettings())
    assert inputs.interactions.column_names == ["user_id", "news_id"]


def test_dkn_histories_never_hold_the_candidate(tmp_path: Path) -> None:
    write(tmp_path / "raw_train.txt", CLICKS)
    write(tmp_path / "raw_test.txt", "0\tsecond title\t1\t12:Two\n1\tnew title\t1\t\n")
    read = dkn(tmp_path, DataSettings())
    train, valid = read.impressions["train"], read.impressions["valid"]
    assert [label.item() for label in train.labels] == [0, 1, 1, 0]
    assert train.histories == (
        ("second title", "third title"), ("third title",), ("second title",), (),
    )  # fmt: skip
    # Histories of the valid part hold clicks of the training part only.
    assert valid.histories == (("third title",), ())
    assert read.items is not None
    named = dict(
        zip(*(read.items.column(n).to_pylist() for n in ("item_id", "entities")), strict=True)
    )
    assert named == {
        "first title": "One Name", "second title": "Two|Three", "third title": None,
        "new title": None,
    }  # fmt: skip
    assert read.interactions.to_pylist() == [
        {"user_id": "0", "item_id": "second title"}, {"user_id": "0", "item_id": "third title"},
    ]  # fmt: skip


def test_dkn_without_a_test_file_holds_rows_out(tmp_path: Path) -> None:
    lines = [f"{user}\ttitle {user} {row}\t1\t\n" for user in range(4) for row in range(5)]
    write(tmp_path / "raw_train.txt", "".join(lines))
    parts = dkn(tmp_path, DataSettings()).impressions
    assert (len(parts["train"]), len(parts["valid"])) == (16, 4)
    shown = {row for part in parts.values() for row in part.candidates}
    assert len(shown) == 20
    held_out = {candidate for (candidate,) in parts["valid"].candidates}
    assert not held_out & {title for part in parts.values() for h in part.histories for title in h}


@pytest.mark.parametrize("line", ["0\ttitle\t2\t\n", "\ttitle\t1\t\n", "0\t \t1\t\n", "0\tt\t1\n"])
def test_dkn_malformed(tmp_path: Path, line: str) -> None:
    write(tmp_path / "raw_train.txt", CLICKS + line)
    with pytest.raises(DataError, match=r"raw_train.txt, line 5"):
        dkn(tmp_path, DataSettings())
