"""The whole configuration: a TOML file of sections, strict about names and types."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pocketrec_distill.clicks.settings import ClickSettings
from pocketrec_distill.data.knowledge import KnowledgeSettings
from pocketrec_distill.data.settings import DataSettings
from pocketrec_distill.errors import ConfigError
from pocketrec_distill.evaluation.gate import GateSettings
from pocketrec_distill.presets import LlmStudentSettings
from pocketrec_distill.pretrain.settings import PretrainSettings
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
    PATH_SECTIONS,
    ClassifierSettings,
    ScoreTableSettings,
    TeachersSettings,
    YesNoSettings,
)
from pocketrec_distill.training.item_tower import ItemTowerSettings
from pocketrec_distill.update.settings import UpdateSettings

Section = TypeVar("Section")


@dataclass(frozen=True)
class DistillConfig:
    """Settings of one `distill` run, one field per TOML section.

    Attributes:
        run: Seed, threads, window, split, licence.
        data: Reading and cleaning.
        text: Items to text.
        knowledge: Relations of items from a knowledge graph.
        llm: The base LLM.
        pretrain: Continued pretraining of the base LLM.
        teacher: The LLM teacher.
        teachers: Which teachers the student learns from.
        classifier: A sequence classifier as teacher.
        yes_no: A causal LM that answers yes or no as teacher.
        score_table: A table of scores as teacher.
        student: The student.
        control: Training of the control and of SASRec.
        llm_student: A student of the teacher's own blocks.
        distillation: What the student learns from the teacher.
        item_tower: The on-device text encoder.
        clicks: Click models, for `distill --impressions`.
        update: How `pocketrec update` learns new events.
        export: What stands in the bundle beside the ONNX models.
        gate: When the student is good enough to be shipped.
    """

    run: RunSettings = field(default_factory=RunSettings)
    data: DataSettings = field(default_factory=DataSettings)
    text: TextSettings = field(default_factory=TextSettings)
    knowledge: KnowledgeSettings = field(default_factory=KnowledgeSettings)
    llm: LlmSettings = field(default_factory=LlmSettings)
    pretrain: PretrainSettings = field(default_factory=PretrainSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    teachers: TeachersSettings = field(default_factory=TeachersSettings)
    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)
    yes_no: YesNoSettings = field(default_factory=YesNoSettings)
    score_table: ScoreTableSettings = field(default_factory=ScoreTableSettings)
    student: StudentSettings = field(default_factory=StudentSettings)
    llm_student: LlmStudentSettings = field(default_factory=LlmStudentSettings)
    control: ControlSettings = field(default_factory=ControlSettings)
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    item_tower: ItemTowerSettings = field(default_factory=ItemTowerSettings)
    clicks: ClickSettings = field(default_factory=ClickSettings)
    update: UpdateSettings = field(default_factory=UpdateSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    gate: GateSettings = field(default_factory=GateSettings)

    def as_dict(self) -> dict[str, Any]:
        """Nested plain values, as in the TOML file."""
        return dataclasses.asdict(self)


def section_from_mapping(kind: type[Section], values: Mapping[str, Any], name: str) -> Section:
    """A settings dataclass from one TOML section.

    Raises:
        ConfigError: An unknown key, or a value of another type than the default's.
    """
    defaults = {f.name: f.default for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in defaults:
            raise ConfigError(f"[{name}] has no setting {key!r}; known: {', '.join(defaults)}")
        wanted = type(defaults[key])
        if wanted is float and type(value) is int:
            value = float(value)  # TOML writes 1 for 1.0
        if wanted is tuple and type(value) is list:
            value = _words(value, name, key)
        if type(value) is not wanted:
            raise ConfigError(f"[{name}] {key} is {value!r}; it must be of type {wanted.__name__}")
        checked[key] = value
    return kind(**checked)


def _words(values: list[Any], name: str, key: str) -> tuple[str, ...]:
    if not all(isinstance(value, str) for value in values):
        raise ConfigError(f"[{name}] {key} is {values!r}; it must be a list of words")
    return tuple(values)


def config_from_mapping(document: Mapping[str, Any]) -> DistillConfig:
    """The configuration that nested plain values describe.

    Raises:
        ConfigError: An unknown section or setting, or a value out of its bounds.
    """
    sections: dict[str, Any] = {}
    for part in dataclasses.fields(DistillConfig):
        values = document.get(part.name, {})
        if not isinstance(values, Mapping):
            raise ConfigError(f"{part.name} is {values!r}; write it as a section [{part.name}]")
        kind = part.default_factory
        sections[part.name] = (
            DataSettings.from_mapping(values)
            if kind is DataSettings
            else section_from_mapping(kind, values, part.name)  # type: ignore[arg-type]
        )
    unknown = sorted(set(document) - set(sections))
    if unknown:
        raise ConfigError(f"no section [{unknown[0]}]; known: {', '.join(sections)}")
    return DistillConfig(**sections)


def load_config(path: Path | None = None, *, seed: int | None = None) -> DistillConfig:
    """Read a TOML file, or take the defaults; `seed` goes over the file's.

    Raises:
        ConfigError: The file is no TOML, or holds an unknown or wrong setting.
    """
    config = DistillConfig()
    if path is not None:
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is no TOML file: {error}") from error
        config = config_from_mapping(document)
    if seed is not None:
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, seed=seed))
    return config


def with_teachers(
    config: DistillConfig, kinds: Sequence[str], paths: Sequence[Path]
) -> DistillConfig:
    """The configuration with teachers added to those of its `[teachers]` section.

    Args:
        config: The configuration.
        kinds: Of `TeachersSettings.kinds`; one that is there already is not added twice.
        paths: In their order, the paths of those of `kinds` that take one.

    Raises:
        ConfigError: An unknown kind, or more paths than kinds that take one.
    """
    takers = [kind for kind in dict.fromkeys(kinds) if kind in PATH_SECTIONS]
    if len(paths) > len(takers):
        raise ConfigError(
            f"{len(paths)} teacher paths for {len(takers)} teachers that take one; each path "
            f"follows the --teacher it belongs to: {', '.join(PATH_SECTIONS)}"
        )
    changed: dict[str, Any] = {
        PATH_SECTIONS[kind]: dataclasses.replace(
            getattr(config, PATH_SECTIONS[kind]), path=str(path)
        )
        for kind, path in zip(takers, paths, strict=False)
    }
    every = tuple(dict.fromkeys((*config.teachers.kinds, *kinds)))
    changed["teachers"] = dataclasses.replace(config.teachers, kinds=every)
    return dataclasses.replace(config, **changed)


def dump_config(config: DistillConfig) -> str:
    """The configuration as TOML text, which `load_config` reads back equal."""
    lines = []
    for section, values in config.as_dict().items():
        lines += [
            f"[{section}]",
            *(f"{k} = {_toml(v)}" for k, v in values.items() if v is not None),
        ]
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    """One TOML value; JSON's strings, numbers and booleans are TOML's too."""
    if isinstance(value, Mapping):
        inner = (f"{_toml(k)} = {_toml(v)}" for k, v in value.items() if v is not None)
        return "{ " + ", ".join(inner) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # Of the characters that JSON leaves as they are, TOML refuses one.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
