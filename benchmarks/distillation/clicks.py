"""Click models on the published samples, through the shipped bundle, candidates from text alone.

    python benchmarks/distillation/clicks.py --data DATA [--run-dir DIR]

- mind: all texts of news.tsv are known when the item tower is distilled; valid impressions.
- mind-new-texts: the item tower sees no text but those of the training impressions and histories;
  the texts of the valid candidates are new to it.
- dkn: a fifth of the users is held out with all their rows; AUC over their rows, and by user.

Nothing is chosen by what is measured here: penalties and calibration come from a cross-validation
within the training part. Results stand in results/clicks.json.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "runtime"))

from harness import device, write_record  # noqa: E402

from pocketrec_distill.clicks.inputs import ClickData, read_clicks  # noqa: E402
from pocketrec_distill.config import DistillConfig, load_config  # noqa: E402
from pocketrec_distill.evaluation.clicks import score_impressions  # noqa: E402
from pocketrec_distill.evaluation.pointwise import summarise_clicks  # noqa: E402
from pocketrec_distill.llm.text import TextTemplate  # noqa: E402
from pocketrec_distill.pipeline.impressions import distill_click_data  # noqa: E402
from pocketrec_runtime import Engine  # noqa: E402

HELD_OUT_USERS = 0.2
SHOWN = ("group_auc", "group_auc_ci95", "auc", "log_loss", "log_loss_of_base_rate",
         "expected_calibration_error", "groups", "groups_measured", "candidates")  # fmt: skip


def known_texts(data: ClickData) -> ClickData:
    """The same impressions with the items of the training part alone."""
    seen = set(data.parts["train"].item_ids())
    items = data.items
    if items is None:
        raise ValueError("the set has no item texts")
    kept = [item for item in items.item_ids if item in seen]
    return ClickData({"train": data.parts["train"]}, items.selected(kept), data.notes)


def by_users(data: ClickData) -> ClickData:
    """The training part cut by users; the held-out users' rows are the part "valid"."""
    train, valid = data.parts["train"].split_users(HELD_OUT_USERS, seed=0)
    return ClickData({"train": train, "valid": valid}, data.items, data.notes)


def measured(
    name: str, learned: ClickData, asked: ClickData, config: DistillConfig, run_dir: Path
) -> dict[str, Any]:
    """Distil from `learned`, then score the valid part of `asked` from its texts."""
    out = run_dir / f"{name}.bundle"
    report = distill_click_data(learned, out, config=config, run_dir=run_dir)
    items = asked.items
    if items is None:
        raise ValueError("the set has no item texts")
    texts = TextTemplate(config.text.template).render(items.item_ids, items.columns)
    scored, _ = score_impressions(
        Engine.open(out), asked.parts["valid"], dict(zip(items.item_ids, texts, strict=True))
    )
    found = summarise_clicks(scored)
    return {
        **{key: found[key] for key in SHOWN},
        "out_of_fold": report["train_out_of_fold"],
        "item_tower": report["item_tower"],
        "bundle_bytes": report["bundle_bytes"],
        "seconds": sum(report["seconds"].values()),
    }


def main() -> int:
    """Run all three and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run-dir", type=Path)
    given = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        run_dir = given.run_dir or Path(folder)
        run_dir.mkdir(parents=True, exist_ok=True)
        config = load_config(ROOT / "configs" / "mind.toml")
        mind = read_clicks(given.data / "news" / "mind-sample", None, config.data)
        results["mind"] = measured("mind", mind, mind, config, run_dir)
        new = known_texts(mind)
        results["mind-new-texts"] = measured("mind-new-texts", new, mind, config, run_dir)
        config = load_config(ROOT / "configs" / "dkn.toml")
        # Titles are all the text that this set has.
        config = replace(config, text=replace(config.text, template="{title}"))
        dkn = by_users(read_clicks(given.data / "news" / "dkn", None, config.data))
        results["dkn"] = measured("dkn", dkn, dkn, config, run_dir)
    for name, found in results.items():
        print(name, {key: found[key] for key in SHOWN})
    write_record(HERE / "results" / "clicks.json", {"results": results, "device": device()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
