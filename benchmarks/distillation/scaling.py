"""What distillation costs as the interactions grow: one data set at several sizes, stage by stage.

    python benchmarks/distillation/scaling.py --interactions I --items T [--config C]

Takes the events of a quarter, half and all users (each share holds the ones before it) with the
whole items table, and distils each with the installed command, each in a run directory of its own,
so that every size pays everything. A finished size is not run again, and a stopped one goes on at
its last finished stage. Item states and the item tower cost by item text, not by interaction.
"""

import argparse
import json
import math
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "runtime"))

from harness import device, write_record  # noqa: E402
from pages import put_between  # noqa: E402

from pocketrec_distill.config import (  # noqa: E402
    DistillConfig,
    config_from_mapping,
    dump_config,
)
from pocketrec_distill.data.columns import find_columns  # noqa: E402
from pocketrec_distill.data.formats import Published  # noqa: E402
from pocketrec_distill.data.inputs import read_inputs  # noqa: E402
from pocketrec_distill.data.values import encode_ids  # noqa: E402
from pocketrec_distill.pipeline.stages import digest_of  # noqa: E402

BEGIN = "<!-- scaling: begin, written by scaling.py -->"
END = "<!-- scaling: end -->"
# Read the items' texts and nothing else: the interactions do not change what they cost.
BY_ITEM = ("item-states", "item-tower")
Row = Mapping[str, Any]


def rows_of_users(users: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Places of the events of a share of the users, in order; a larger share holds a smaller's.

    Args:
        users: Code of each event's user, int64 (events,); below 0 where it has none.
        share: Above 0, at most 1.
        seed: Of the order in which users are taken.
    """
    known = np.unique(users[users >= 0])
    order = np.random.default_rng(seed).permutation(known)
    taken = order[: max(1, round(share * len(order)))]
    return np.flatnonzero(np.isin(users, taken))


def write_part(inputs: Published, share: float, folder: Path, seed: int) -> list[str]:
    """The tables of a share of the users, as Parquet; returns the command's arguments for them."""
    from pyarrow import parquet

    column = find_columns(inputs.interactions.column_names, inputs.settings).user
    codes = encode_ids(inputs.interactions, column).values
    part = inputs.interactions.take(rows_of_users(codes, share, seed))
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"interactions": part, "items": inputs.items}
    words = []
    for name, table in tables.items():
        if table is not None:
            parquet.write_table(table, folder / f"{name}.parquet")
            words += [f"--{name}", str(folder / f"{name}.parquet")]
    return words


def distilled(inputs: Published, config: DistillConfig, share: float, work: Path) -> Row:
    """One size: interactions, users and seconds of each stage; kept in `work` once measured.

    Raises:
        SystemExit: The command failed; what it said was shown.
    """
    kept = work / f"{share:g}.json"
    if kept.is_file():
        sys.stderr.write(f"{share:g} of the users: result is there\n")
        row: Row = json.loads(kept.read_text(encoding="utf-8"))
        return row
    sys.stderr.write(f"{share:g} of the users\n")
    folder = work / f"{share:g}"
    words = write_part(inputs, share, folder, config.run.seed)
    settings = folder / "config.toml"
    settings.write_text(dump_config(config), encoding="utf-8")
    words += ["--config", str(settings), "--out", str(folder / "scaling.bundle")]
    done = subprocess.run(
        [sys.executable, "-m", "pocketrec", "distill", *words, "--run-dir", str(folder / "run"),
         "--json"],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{share:g} of the users: pocketrec distill ended with {done.returncode}")
    report = json.loads(done.stdout)
    cleaning = report["data"]["cleaning"]
    row = {
        "share": share,
        "interactions": cleaning["rows_left"],
        "users": cleaning["users"],
        "items": report["data"]["items"],
        "seconds": report["seconds"],
        "test_ndcg@10": report["test"]["shipped"]["ndcg@10"],
        "device": device(config.run.threads),
    }
    kept.write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")
    return row


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float | None:
    """Slope of log(seconds) over log(size) by least squares: 1 is linear growth, 0 none.

    None with fewer than two sizes, or where a time is 0.
    """
    if len(set(sizes)) < 2 or min(seconds) <= 0:
        return None
    x, y = (np.log(np.asarray(values, dtype=float)) for values in (sizes, seconds))
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / (x * x).sum())


def growth(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Seconds of every stage by size, three sums, seconds per 1,000 interactions; each's exponent.

    A stage that a size did not run counts 0 there.
    """
    sizes = [row["interactions"] for row in rows]
    stages = list(dict.fromkeys(stage for row in rows for stage in row["seconds"]))
    lines = {stage: [row["seconds"].get(stage, 0.0) for row in rows] for stage in stages}
    fixed = [sum(lines[stage][i] for stage in stages if stage in BY_ITEM) for i in range(len(rows))]
    total = [math.fsum(row["seconds"].values()) for row in rows]
    grows = [whole - part for whole, part in zip(total, fixed, strict=True)]
    lines |= {"by item, together": fixed, "all but those by item": grows, "in all": total}
    per = [1000 * whole / size for whole, size in zip(total, sizes, strict=True)]
    lines["in all, per 1,000 interactions"] = per
    return {
        name: {"seconds": values, "exponent": exponent(sizes, values)}
        for name, values in lines.items()
    }


def table(rows: Sequence[Row]) -> str:
    """The growth as a Markdown table: a line per stage, a column per size."""
    head = ["Seconds", *(f"{row['interactions']:,} interactions" for row in rows), "Exponent"]
    lines = [head, ["---"] * len(head)]
    for name, line in growth(rows).items():
        mark = " (by item)" if name in BY_ITEM else ""
        slope = "" if line["exponent"] is None else f"{line['exponent']:.2f}"
        lines.append([name + mark, *(f"{value:.1f}" for value in line["seconds"]), slope])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def section(record: Mapping[str, Any]) -> str:
    """What the README shows of a record."""
    rows = record["rows"]
    machine = rows[-1]["device"]
    loads = ", ".join(str(row["device"]["load_average"]) for row in rows)
    users = ", ".join(f"{row['users']:,}" for row in rows)
    origin = (
        f"{record['set']}: {users} users, {rows[-1]['items']:,} items at every size; "
        f"{machine['cpu']}, {machine['cores']} cores, load average {loads} at the end of each. "
        "Exponent: slope of a log-log fit, 1 is linear. The fixed cost, by item text: the base "
        "LLM's states, which are cached per text, so that a run directory pays them once for all "
        "its later runs, and the item tower."
    )
    return f"{table(rows)}\n\n{origin}"


def settings_for(
    path: Path | None, interactions: Path, items: Path | None
) -> tuple[Published, DistillConfig]:
    """The raw tables, and the configuration with the columns of their format in it."""
    read = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
    config = config_from_mapping({**read, "gate": {**read.get("gate", {}), "enforce": False}})
    inputs = read_inputs(interactions, items, config.data)
    return inputs, replace(config, data=replace(inputs.settings, format=""))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--interactions", type=Path, required=True, help="table, or a set's folder")
    parser.add_argument("--items", type=Path, help="items, where interactions are a table")
    parser.add_argument("--config", type=Path, help="settings of every size")
    parser.add_argument("--shares", default="0.25,0.5,1", help="of the users; default: %(default)s")
    parser.add_argument("--name", default="", help="of the set; the folder's where not given")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "scaling", help="stages")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--readme", type=Path, default=HERE / "README.md")
    return parser.parse_args()


def main() -> None:
    """Distil every size that has no result yet, print the table, write record and page."""
    given = arguments()
    place = given.interactions.resolve()
    name = given.name or (place.name if place.is_dir() else place.parent.name)
    inputs, config = settings_for(given.config, given.interactions, given.items)
    work = given.work / f"{name}-{digest_of(config.as_dict())}"
    shares = sorted(float(share) for share in given.shares.split(","))
    rows = [distilled(inputs, config, share, work) for share in shares]
    record = {
        "benchmark": "scaling",
        "set": name,
        "config": config.as_dict(),
        "rows": rows,
        "growth": growth(rows),
    }
    write_record(given.results / f"scaling-{name}.json", record)
    put_between(given.readme, BEGIN, END, section(record))
    print(table(rows))


if __name__ == "__main__":
    main()
