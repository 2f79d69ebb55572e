"""The names that apps may use: few, and loaded when they are asked for."""

import subprocess
import sys

import pytest

import pocketrec

NAMES = [
    "AsyncRecommender",
    "Boost",
    "BundleError",
    "CalibratedShares",
    "Cap",
    "Deny",
    "Diversity",
    "Engine",
    "Event",
    "EventKinds",
    "EventStoreError",
    "EventStoreSettings",
    "Evidence",
    "Explanation",
    "ExposureLimit",
    "FallbackSettings",
    "InputError",
    "MissingExtraError",
    "NewItem",
    "Pin",
    "PocketrecError",
    "Quota",
    "RankedItem",
    "Recommendation",
    "Recommender",
    "RuleContext",
    "Rules",
    "Scores",
    "StateError",
    "TextScore",
    "TextScores",
    "User",
    "UserState",
    "__version__",
    "load_rules",
]


def test_the_names_are_these() -> None:
    assert sorted(pocketrec.__all__) == sorted(NAMES)
    assert set(NAMES) <= set(dir(pocketrec))
    for name in NAMES:
        assert getattr(pocketrec, name).__doc__, name


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        pocketrec.Nothing  # noqa: B018


def test_an_engine_alone_loads_no_sockets_and_no_loop() -> None:
    heavy = ("asyncio", "ssl", "http.client", "pocketrec.events")
    code = f"import sys; from pocketrec import Engine; print(set(sys.modules) & set({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60)
    assert done.stdout.decode().strip() == "set()"
