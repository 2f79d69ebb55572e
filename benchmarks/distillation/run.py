"""Every data set of a folder, both splits, one table.

    python benchmarks/distillation/run.py --data DATA

Each set that a folder below DATA holds is distilled by the installed command, with the settings of
configs/ for its folder or its format. A result stands in results/SET.SPLIT.json with its command,
data, device, commit and seconds; what is there already is not run again, and a run that was stopped
goes on at its last finished stage. The tables of README.md are written from the results.
"""

import argparse
import json
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "runtime"))
sys.path.insert(0, str(HERE))

from harness import device, write_record  # noqa: E402
from tables import write_tables  # noqa: E402

SPLITS = ("leave-one-out", "temporal")
# What ranks new items better, at some cost to known ones (docs/distillation.md).
COLD: Mapping[str, Mapping[str, Any]] = {
    "run": {"split": "leave-one-out", "cold_share": 0.1},
    "text": {"lexical": 256},
    "student": {"id_dropout": 0.3},
}
# Click samples without an order of events; click models are measured on them, not rankings.
NOT_RANKED = ("dkn",)
# The reading of the same files that has times.
TIMED = {"hetrec-lastfm": "hetrec-lastfm-tags"}
# Enough to see every stage run and every table filled; its figures say nothing.
QUICK: Mapping[str, Mapping[str, Any]] = {
    "llm": {"layer": 1, "max_tokens": 8},
    "teacher": {"blocks": 1, "epochs": 1, "pass_positions": 500},
    "student": {"epochs": 1, "pass_positions": 2000},
    "control": {"epochs": 1, "pass_positions": 2000},
    "distillation": {"labelled_positions": 2000},
    "item_tower": {"epochs": 1, "vocabulary": 1000},
}


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        name: The folder's name.
        folder: Where the data lies.
        split: "leave-one-out", "temporal", or "cold" (leave-one-out with cold items).
        settings: The configuration, section by section.
    """

    name: str
    folder: Path
    split: str
    settings: Mapping[str, Mapping[str, Any]]

    @property
    def stem(self) -> str:
        """Name of its result file, without the ending."""
        return f"{self.name}.{self.split}"


def find_sets(data: Path) -> dict[str, tuple[Path, str]]:
    """Folder and format of every data set in `data` and below, by the folder's name."""
    from pocketrec_distill.data.formats import detect_format
    from pocketrec_distill.errors import DataError

    found: dict[str, tuple[Path, str]] = {}
    folders = [data, *sorted(path for path in data.rglob("*") if path.is_dir())]
    for folder in folders:
        if any(folder != inner and inner in folder.parents for inner, _ in found.values()):
            continue  # a part of a set that was found already, such as MIND's train
        try:
            form = detect_format(folder)
        except DataError:
            continue
        if form not in NOT_RANKED:
            found[folder.name] = (folder, form)
    return found


def settings_of(name: str, form: str) -> dict[str, dict[str, Any]]:
    """The configuration in configs/ of a folder's name, else of its format, else the defaults."""
    for stem in (name, form):
        path = ROOT / "configs" / f"{stem}.toml"
        if path.is_file():
            return tomllib.loads(path.read_text(encoding="utf-8"))
    return {"data": {"format": form}}


def has_times(folder: Path, settings: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether the events have times, rather than positions or no order at all."""
    from pocketrec_distill.config import config_from_mapping
    from pocketrec_distill.data.account import CleaningAccount
    from pocketrec_distill.data.columns import POSITIONS, plain_name
    from pocketrec_distill.data.inputs import read_inputs
    from pocketrec_distill.data.roles import interaction_columns

    inputs = read_inputs(folder, None, config_from_mapping(settings).data)
    table = inputs.interactions
    column = interaction_columns(table, inputs.settings, CleaningAccount(table.num_rows)).time
    return not inputs.timeless and column is not None and plain_name(column) not in POSITIONS


def cases_of(
    name: str, folder: Path, form: str, splits: Sequence[str], *, quick: bool
) -> list[Case]:
    """The runs of one set; a temporal one only where there are times."""
    found = []
    for split in splits:
        settings = settings_of(name, form)
        if split == "temporal" and not has_times(folder, settings):
            if form not in TIMED:
                sys.stderr.write(f"{name}: no times, so no temporal split\n")
                continue
            settings = settings_of(TIMED[form], TIMED[form])
        asked = COLD if split == "cold" else {"run": {"split": split}}
        layers = (settings, asked, {"gate": {"enforce": False}}, QUICK if quick else {})
        found.append(Case(name, folder, split, merged(*layers)))
    return found


def merged(*layers: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Sections of settings, a later layer over an earlier one."""
    sections = {name for layer in layers for name in layer}
    return {
        name: {key: value for layer in layers for key, value in layer.get(name, {}).items()}
        for name in sections
    }


def toml_of(settings: Mapping[str, Mapping[str, Any]]) -> str:
    """The configuration as a TOML file."""
    from pocketrec_distill.config import config_from_mapping, dump_config

    return dump_config(config_from_mapping(settings))


def run_case(case: Case, work: Path, threads: int) -> dict[str, Any]:
    """Distil, and return the record of the result; stages are kept in `work`.

    Raises:
        SystemExit: The command failed; what it said was shown.
    """
    run = {**case.settings.get("run", {}), "threads": threads}
    work.mkdir(parents=True, exist_ok=True)
    config = work / f"{case.split}.toml"
    config.write_text(toml_of({**case.settings, "run": run}), encoding="utf-8")
    bundle, run_dir = work / f"{case.split}.bundle", work / "run"
    words = ["distill", "--interactions", str(case.folder), "--config", str(config),
             "--out", str(bundle), "--run-dir", str(run_dir), "--json"]  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pocketrec", *words], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{case.stem}: pocketrec distill ended with {done.returncode}")
    report = json.loads(done.stdout)
    keys = ("test", "validation", "test_by_item", "cold", "comparisons", "gate", "retention",
            "blend", "nearest_known", "trend", "bundle_bytes", "latency_ms", "seconds", "data",
            "config")  # fmt: skip
    return {
        "set": case.name,
        "split": case.split,
        "command": f"run.py --sets {case.name} --splits {case.split}",
        "device": device(threads),
        # Stages that an earlier run finished count with the time that they took then.
        "wall_seconds": max(time.monotonic() - started, sum(report["seconds"].values())),
        **{key: report[key] for key in keys if key in report},
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, help="folder of data sets, each in a folder of its own"
    )
    parser.add_argument("--sets", default="", help="only these folders, separated by commas")
    parser.add_argument(
        "--splits", default=",".join((*SPLITS, "cold")), help="default: %(default)s"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "benchmarks", help="stages")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md")
    parser.add_argument("--threads", type=int, default=0, help="0 takes all cores")
    parser.add_argument("--again", action="store_true", help="run also what has a result")
    parser.add_argument(
        "--quick", action="store_true", help="a minute per set; figures mean nothing"
    )
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    return parser.parse_args()


def main() -> None:
    """Run what has no result yet, then write the tables."""
    given = arguments()
    if not given.tables:
        if given.data is None or not given.data.is_dir():
            raise SystemExit("give the folder of the data sets: --data DATA")
        wanted = {name for name in given.sets.split(",") if name}
        sets = {n: s for n, s in find_sets(given.data).items() if not wanted or n in wanted}
        if missing := wanted - set(sets):
            raise SystemExit(f"{given.data} holds no data set called {', '.join(sorted(missing))}")
        for name, (folder, form) in sets.items():
            splits = given.splits.split(",")
            for case in cases_of(name, folder, form, splits, quick=given.quick):
                target = given.results / f"{case.stem}.json"
                if target.is_file() and not given.again:
                    print(f"{case.stem}: result is there")
                    continue
                print(f"{case.stem}: {folder}", flush=True)
                write_record(target, run_case(case, given.work / name, given.threads))
                write_tables(given.readme, given.results)
    write_tables(given.readme, given.results)


if __name__ == "__main__":
    main()
