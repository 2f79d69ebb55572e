"""Settings of the teachers: what is refused, and teachers named on the command line."""

from pathlib import Path

import pytest

from pocketrec_distill.config import DistillConfig, config_from_mapping, with_teachers
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.teachers.settings import (
    ClassifierSettings,
    ScoreTableSettings,
    TeachersSettings,
    YesNoSettings,
)


@pytest.mark.parametrize(
    ("kind", "changed", "message"),
    [
        (TeachersSettings, {"kinds": ("llm", "oracle")}, "kinds has 'oracle'; choose among llm, "),
        (TeachersSettings, {"kinds": ("ease", "ease")}, "names one twice: ease, ease"),
        (TeachersSettings, {"kinds": ("table",)}, "kinds is table; one of llm, text, ease, sasrec"),
        (TeachersSettings, {"kinds": ()}, "kinds is empty; one of llm"),
        (TeachersSettings, {"candidates": 1}, "candidates is 1; give at least 2"),
        (TeachersSettings, {"positions": 0}, "positions is 0; give a finite number above 0"),
        (ClassifierSettings, {"max_tokens": 55}, "max_tokens is 55; .* need at least 56"),
        (ClassifierSettings, {"precision": "fp16"}, "is 'fp16'; choose one of auto, fp32, bf16"),
        (ClassifierSettings, {"negatives": 0}, r"\[classifier\] negatives is 0"),
        (YesNoSettings, {"prompt": "{candidate}"}, "has fields"),
        (YesNoSettings, {"yes": ()}, r"\[yes_no\] yes is \(\); give words"),
        (YesNoSettings, {"no": ("no", "")}, r"\[yes_no\] no is \('no', ''\)"),
        (YesNoSettings, {"learning_rate": float("inf")}, "learning_rate is inf"),
        (ScoreTableSettings, {"scale": "rank"}, "scale is 'rank'; choose one of logit, prob"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: type, changed: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(**changed)


def test_lists_of_words_are_read_from_toml() -> None:
    config = config_from_mapping({"teachers": {"kinds": ["ease", "table"]}})
    assert config.teachers.kinds == ("ease", "table")
    assert config.teachers.asked == ("table",)
    with pytest.raises(
        ConfigError, match=r"\[teachers\] kinds is \[1\]; it must be a list of word"
    ):
        config_from_mapping({"teachers": {"kinds": [1]}})
    with pytest.raises(ConfigError, match="must be of type tuple"):
        config_from_mapping({"teachers": {"kinds": "ease"}})


def test_teachers_are_added_with_their_paths_in_order() -> None:
    kinds = ["table", "ease", "classifier", "yes_no"]
    config = with_teachers(DistillConfig(), kinds, [Path("t.parquet"), Path("folder")])
    own = ("llm", "text", "ease", "sasrec")
    assert config.teachers.kinds == (*own, "table", "classifier", "yes_no")
    assert config.score_table.path == "t.parquet"
    assert config.classifier.path == "folder"
    assert config.yes_no.path == ""
    assert with_teachers(DistillConfig(), [], []) == DistillConfig()
    with pytest.raises(ConfigError, match="2 teacher paths for 1 teachers that take one"):
        with_teachers(DistillConfig(), ["ease", "table"], [Path("a"), Path("b")])
    with pytest.raises(ConfigError, match="kinds has 'oracle'"):
        with_teachers(DistillConfig(), ["oracle"], [])
