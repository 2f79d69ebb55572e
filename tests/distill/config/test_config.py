"""The configuration: what TOML says comes back equal, what it cannot say is refused."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketrec_distill.clicks.settings import ClickSettings
from pocketrec_distill.config import (
    DistillConfig,
    config_from_mapping,
    dump_config,
    load_config,
)
from pocketrec_distill.data.knowledge import KnowledgeSettings
from pocketrec_distill.data.settings import DataSettings, DropRule
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.evaluation.gate import GateSettings
from pocketrec_distill.presets import PRESETS, LlmStudentSettings
from pocketrec_distill.pretrain import PretrainSettings
from pocketrec_distill.settings import (
    ControlSettings,
    DistillationSettings,
    ExportSettings,
    LlmSettings,
    RunSettings,
    StudentSettings,
    TeacherSettings,
    TextSettings,
)
from pocketrec_distill.teachers.settings import (
    ClassifierSettings,
    ScoreTableSettings,
    TeachersSettings,
    YesNoSettings,
)
from pocketrec_distill.training.item_tower import ItemTowerSettings
from pocketrec_distill.update.settings import UpdateSettings

# No section as its default, and text that a careless writer would get wrong.
CHANGED = DistillConfig(
    run=RunSettings(seed=3, threads=2, window=9, split="temporal", license='CC "BY"\\ 4.0\nnew'),
    data=DataSettings(
        user="u ser",
        min_rating=3.5,
        event_weights={"view": 0.1, "add to cart": 2, '"': 1e-9},
        user_core=5,
        known_items_only=True,
        drop=(DropRule("rating", "<", 2.5), DropRule("title", "contains", "漢 # x")),
    ),
    text=TextSettings(template="{title}\t({year}) \x7f 'quoted' # no comment"),
    knowledge=KnowledgeSettings(kg="a.kg", link="a.link", width=8, most_share=0.5),
    llm=LlmSettings(model="C:\\models\\x", layer=4, max_tokens=8, precision="bf16"),
    teacher=TeacherSettings(width=8, rank=2, learning_rate=1e-05),
    student=StudentSettings(preset="small", width=32, heads=4, kv_heads=2, dropout=0.2),
    llm_student=LlmStudentSettings(first=1, last=0, alignment=0.0),
    control=ControlSettings(dropout=0.0, patience=2),
    pretrain=PretrainSettings(enabled=True, steps=3, temperature=0.25),
    teachers=TeachersSettings(kinds=("table", "ease"), candidates=2),
    classifier=ClassifierSettings(path="C:\\x", item_tokens=4, checkpointing=True),
    yes_no=YesNoSettings(yes=("oui", "\n", '"'), prompt="{history}\t{{}} {candidate}'"),
    score_table=ScoreTableSettings(path="漢.parquet", scale="probability"),
    distillation=DistillationSettings(teacher_weight=0.0, temperature=2.0, max_label_bytes=1 << 40),
    item_tower=ItemTowerSettings(vocabulary=301, learning_rate=1e16),
    update=UpdateSettings(epochs=3, keep=0.9),
    clicks=ClickSettings(encoder="x", width=32, folds=3),
    export=ExportSettings(gguf="Q4_0"),
    gate=GateSettings(enforce=False, retention=0.95, ease="fail", min_users=5),
)


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("config", [DistillConfig(), CHANGED], ids=["defaults", "changed"])
def test_what_is_dumped_is_loaded(config: DistillConfig, tmp_path: Path) -> None:
    assert load_config(written(tmp_path, dump_config(config))) == config


def test_every_section_of_the_changed_one_is_changed() -> None:
    plain = DistillConfig()
    for section in dataclasses.fields(DistillConfig):
        assert getattr(CHANGED, section.name) != getattr(plain, section.name), section.name


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=st.text(st.characters(exclude_categories=["Cs"])), rate=st.floats(1e-300, 1e300))
def test_any_text_and_any_number_come_back(
    text: str, rate: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config = DistillConfig(
        run=RunSettings(license=text), teacher=TeacherSettings(learning_rate=rate)
    )
    folder = tmp_path_factory.mktemp("any")
    assert load_config(written(folder, dump_config(config))) == config


def test_no_file_is_the_defaults() -> None:
    assert load_config() == DistillConfig()


def test_what_is_not_said_is_the_default(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "[student]\nwidth = 32\n"))
    assert config == DistillConfig(student=StudentSettings(width=32))


def test_the_seed_of_the_call_goes_over_the_files(tmp_path: Path) -> None:
    path = written(tmp_path, "[run]\nseed = 5\nwindow = 7\n")
    assert load_config(path).run == RunSettings(seed=5, window=7)
    assert load_config(path, seed=0).run == RunSettings(seed=0, window=7)
    assert load_config(seed=4).run.seed == 4


def test_whole_numbers_pass_for_real_ones(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "[student]\ndropout = 0\n[data]\nmin_rating = 4\n"))
    assert type(config.student.dropout) is float
    assert type(config.data.min_rating) is float


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[studnet]\nwidth = 1\n", r"no section \[studnet\]; known: run, data"),
        ("seed = 1\n", r"no section \[seed\]"),
        ("run = 1\n", r"write it as a section \[run\]"),
        ("[student]\nwdith = 1\n", r"\[student\] has no setting 'wdith'; known: preset, width"),
        ("[data]\nusr = 'u'\n", r"\[data\] has no setting 'usr'"),
        ("[student]\nwidth = '64'\n", r"\[student\] width is '64'; it must be of type int"),
        ("[student]\nwidth = 64.0\n", r"\[student\] width is 64.0; it must be of type int"),
        ("[student]\nwidth = true\n", r"\[student\] width is True; it must be of type int"),
        ("[student]\ndropout = true\n", r"\[student\] dropout is True; it must be of type float"),
        ("[run]\nlicense = 3\n", r"\[run\] license is 3; it must be of type str"),
        ("[text]\ntemplate = ['a']\n", r"\[text\] template is \['a'\]"),
        ("[data]\nknown_items_only = 1\n", r"\[data\] known_items_only is 1"),
        ("[run]\nwindow = 0\n", r"\[run\] window is 0"),
        ("[run]\nseed = -1\n", r"\[run\] seed is -1"),
        ("[run]\nsplit = 'random'\n", r"\[run\] split is 'random'"),
        ("[llm]\nprecision = 'int4'\n", r"\[llm\] precision is 'int4'"),
        ("[llm]\nlayer = -1\n", r"\[llm\] layer is -1"),
        ("[teacher]\nrank = 0\n", r"\[teacher\] rank is 0"),
        ("[teacher]\nblocks = -1\n", r"\[teacher\] blocks is -1"),
        ("[teacher]\ndropout = 1.0\n", r"\[teacher\] dropout is 1.0"),
        ("[teacher]\nlearning_rate = nan\n", r"\[teacher\] learning_rate is nan"),
        ("[teacher]\nlearning_rate = inf\n", r"\[teacher\] learning_rate is inf"),
        ("[teacher]\nadapter_rate = -0.5\n", r"\[teacher\] adapter_rate is -0.5"),
        ("[student]\npreset = 'tiny'\n", r"\[student\] preset is 'tiny'; choose one of nano"),
        ("[student]\nwidth = -1\n", r"\[student\] width is -1"),
        ("[llm_student]\nfirst = 0\nlast = 0\n", r"\[llm_student\] first and last are 0"),
        ("[llm_student]\nlast = -1\n", r"\[llm_student\] last is -1"),
        ("[llm_student]\nepochs = 0\n", r"\[llm_student\] epochs is 0"),
        ("[llm_student]\nalignment = nan\n", r"\[llm_student\] alignment is nan"),
        ("[llm_student]\ndropout = 1\n", r"\[llm_student\] dropout is 1.0"),
        ("[distillation]\nloss = 'mse'\n", r"\[distillation\] loss is 'mse'; choose one of auto"),
        ("[distillation]\nown = 0\n", r"\[distillation\] own is 0"),
        ("[student]\nepochs = 0\n", r"\[student\] epochs is 0"),
        ("[student]\nbatch = -2\n", r"\[student\] batch is -2"),
        ("[student]\nlearning_rate = 0.0\n", r"\[student\] learning_rate is 0.0"),
        ("[student]\nweight_decay = -1.0\n", r"\[student\] weight_decay is -1.0"),
        ("[student]\npass_positions = -1\n", r"\[student\] pass_positions is -1"),
        ("[teacher]\npass_positions = -1\n", r"\[teacher\] pass_positions is -1"),
        ("[student]\ndropout = 1.5\n", r"\[student\] dropout is 1.5"),
        ("[control]\ndropout = -0.1\n", r"\[control\] dropout is -0.1"),
        ("[student]\nheads = 3\n", r"\[student\] width 128 over 3 heads"),
        ("[student]\nkv_heads = 3\n", r"\[student\] heads 2 does not divide by kv_heads 3"),
        ("[student]\npositions = 0\n", r"\[student\] positions is 0"),
        ("[control]\nepochs = 0\n", r"\[control\] epochs is 0"),
        ("[distillation]\ncandidates = -1\n", r"\[distillation\] candidates is -1"),
        (
            "[distillation]\nlabelled_positions = -5\n",
            r"\[distillation\] labelled_positions is -5",
        ),
        ("[distillation]\nteacher_weight = 2\n", r"\[distillation\] teacher_weight is 2.0"),
        ("[distillation]\ntemperature = -1\n", r"\[distillation\] temperature is -1.0"),
        ("[item_tower]\nvocabulary = 20\n", r"\[item_tower\] vocabulary is 20"),
        ("[item_tower]\nwidth = 30\nblocks = 0\n", r"\[item_tower\] blocks is 0"),
        ("[item_tower]\nwidth = 6\n", r"\[item_tower\] width is 6"),
        ("[update]\nkeep = 2.0\n", r"\[update\] keep is 2.0; give 0 to 1"),
        ("[clicks]\nfolds = 1\n", r"\[clicks\] folds is 1; give at least 2"),
        ("[clicks]\nteacher_weight = 2.0\n", r"\[clicks\] teacher_weight is 2.0"),
        ("[gate]\ncontrol = 'no'\n", r"\[gate\] control is 'no'; choose one of fail, warn, off"),
        ("[gate]\nenforce = 1\n", r"\[gate\] enforce is 1; it must be of type bool"),
        ("[run\n", "is no TOML file"),
        ("[run]\nseed = 1\nseed = 2\n", "is no TOML file"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(written(tmp_path, text))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"config\.toml is no TOML file"):
        load_config(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.toml"):
        load_config(tmp_path / "missing.toml")


def test_plain_values_give_the_configuration_back() -> None:
    document = CHANGED.as_dict()
    document["data"]["drop"] = [dict(rule) for rule in document["data"]["drop"]]
    assert config_from_mapping(document) == CHANGED


def test_a_setting_cannot_be_changed_later() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CHANGED.run.seed = 1


def test_a_preset_gives_what_is_not_said(tmp_path: Path) -> None:
    small = load_config(written(tmp_path, "[student]\npreset = 'small'\nhidden = 96\n")).student
    assert (small.width, small.blocks, small.heads, small.kv_heads) == (128, 2, 2, 2)
    assert small.hidden == 96
    nano = StudentSettings(preset="nano")
    assert (nano.width, nano.blocks, nano.heads, nano.kv_heads, nano.hidden) == (32, 1, 2, 1, 64)


def test_the_default_preset_is_small() -> None:
    """Wide enough to hold what a linear model knows of a sparse catalogue."""
    plain = StudentSettings()
    assert plain == StudentSettings(preset="small", width=128, blocks=2, heads=2, hidden=256)
    assert (plain.width, plain.kv_heads) == (128, 2)
    assert set(PRESETS) == {"nano", "micro", "small", "medium", "llm"}
