"""`pocketrec bench compare` and `--replicate`, on real quick runs and on made-up cards."""

from dataclasses import replace
from pathlib import Path

import pytest

from pocketrec_bench.card import Card, card_from_json, read_card, write_card
from pocketrec_bench.figures import Latency, Slice

QUICK = ("--quick", "--seconds", "0.1")


@pytest.fixture(scope="module")
def measured(tmp_path_factory, tiny_bundle) -> Card:
    """The card of a real quick run."""
    from pocketrec.cli import main

    out = tmp_path_factory.mktemp("bench") / "out"
    assert main(["bench", str(tiny_bundle), *QUICK, "--out", str(out)]) == 0
    assert (out / "card.html").read_text("utf-8").startswith("<!doctype html>")
    return read_card(out)


def _card(card: Card, *medians: float, **device: object) -> Card:
    """The card with valid runs of these medians."""
    runs = []
    for median in medians:
        slices = tuple(Slice(float(n), 1000, median, median * 1.5) for n in range(20))
        runs.append(
            replace(
                card.results[0],
                latency=Latency.of([median] * 8 + [median * 1.5] * 2),
                slices=slices,
                throughput_qps=1 / median,
                valid=True,
                reasons=(),
            )
        )
    return replace(card, results=tuple(runs), device=replace(card.device, **device))


@pytest.fixture
def sides(tmp_path):
    """Writes two sides and gives their folders."""

    def write(first: Card, second: Card) -> tuple[Path, Path]:
        for name, card in (("a", first), ("b", second)):
            write_card(card, tmp_path / name)
        return tmp_path / "a", tmp_path / "b"

    return write


@pytest.mark.parametrize(
    ("medians", "code", "said"),
    [
        ((1.01e-3, 1.0e-3, 0.99e-3), 0, "B is equal within 5%"),
        ((1.26e-3, 1.25e-3, 1.24e-3), 7, "B is slower by 25.0%"),
        ((0.81e-3, 0.80e-3, 0.79e-3), 0, "B is faster by 20.0%"),
        ((1.3e-3, 1.0e-3, 0.8e-3), 8, "is too large to tell"),
    ],
)
def test_the_verdict_is_the_exit_code(cli, measured, sides, medians, code, said) -> None:
    a, b = sides(_card(measured, 0.99e-3, 1.0e-3, 1.01e-3), _card(measured, *medians))
    outcome = cli("bench", "compare", a / "card.json", b)
    assert outcome.code == code, outcome.err
    assert said in outcome.out
    assert "3 and 3 runs" in outcome.out
    document = cli("bench", "compare", a, b, "--json").json
    assert document["schema"] == "pocketrec.bench_compare/1"
    row = document["kinds"][0]["rows"][0]
    assert row["metric"] == "p50"
    assert row["ci95"][0] <= row["ratio"] <= row["ci95"][1]


def test_cards_in_folders_are_replicates(cli, measured, tmp_path) -> None:
    for side, medians in (("a", (1e-3, 1.01e-3)), ("b", (2e-3, 2.02e-3))):
        for number, median in enumerate(medians):
            write_card(_card(measured, median), tmp_path / side / f"run-{number}")
    outcome = cli("bench", "compare", tmp_path / "a", tmp_path / "b")
    assert "2 and 2 runs" in outcome.out
    # Welch with one or two degrees of freedom is cautious; a doubling is beyond it.
    assert outcome.code == 7
    assert "B is slower by 100.0%" in outcome.out


def test_other_devices_are_refused_and_named(cli, measured, sides) -> None:
    a, b = sides(_card(measured, 1e-3, 1e-3), _card(measured, 1e-3, 1e-3, governor="powersave"))
    outcome = cli("bench", "compare", a, b)
    assert outcome.code == 5
    assert "governor: " in outcome.err
    assert "and powersave" in outcome.err
    assert cli("bench", "compare", a, b, "--across-devices").code == 0


def test_a_quick_run_is_not_compared_unless_asked_for(cli, measured, sides) -> None:
    a, b = sides(measured, measured)
    outcome = cli("bench", "compare", a, b)
    assert outcome.code == 5
    assert "not valid: a quick run" in outcome.err
    outcome = cli("bench", "compare", a, b, "--allow-invalid")
    assert outcome.code == 8
    assert "some runs are not valid" in outcome.out


def test_bad_input_is_said_plainly(cli, measured, tmp_path) -> None:
    write_card(measured, tmp_path / "good")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text('{"schema": "pocketrec.bench_card/9"}')
    good = tmp_path / "good"
    for arguments, code, said in (
        ((good, tmp_path / "empty"), 2, "holds no card.json"),
        ((good, tmp_path / "nowhere"), 2, "does not exist"),
        ((good, tmp_path / "bad.json"), 5, "this version reads"),
        ((good, good, "--margin", "0"), 2, "margin is 0"),
    ):
        outcome = cli("bench", "compare", *arguments)
        assert (outcome.code, said in outcome.err) == (code, True), outcome.err


def test_replicates_run_in_processes_of_their_own(cli, tiny_bundle, tmp_path) -> None:
    out = tmp_path / "out"
    outcome = cli(
        "bench", tiny_bundle, *QUICK, "--k", "3", "--replicate", "2", "--out", out, "--json"
    )
    assert outcome.code == 0, outcome.err
    card = card_from_json(outcome.out)
    assert card == read_card(out)
    assert [result.settings.k for result in card.results] == [3, 3]
    assert card.results[0].measured_at <= card.results[1].measured_at
    assert (out / "run-2" / "loadgen").is_dir()
    assert "2 replicates" in outcome.err


def test_a_replicate_that_fails_gives_its_exit_code(cli, tmp_path) -> None:
    outcome = cli("bench", tmp_path / "nowhere", *QUICK, "--replicate", "3")
    assert outcome.code == 3
    assert "no bundle at" in outcome.err
    assert "replicate 1 measured nothing" in outcome.err


def test_the_device_is_printed(cli) -> None:
    from pocketrec_bench.device import device_from_dict

    document = cli("bench", "device", "--json").json
    assert document.pop("schema") == "pocketrec.bench_device/1"
    card = device_from_dict(document)
    text = cli("bench", "device").out
    assert card.fingerprint in text
    assert card.cpu in text
