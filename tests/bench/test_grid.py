"""Grids: drawn catalogues keep their distribution, fronts and recommendations by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pocketrec_bench.card import Build
from pocketrec_bench.device import DeviceCard
from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.figures import Latency
from pocketrec_bench.grid.catalogues import drawn_vectors
from pocketrec_bench.grid.front import dominates, recommend, with_fronts
from pocketrec_bench.grid.plan import GridPlan
from pocketrec_bench.grid.points import Grid, Point, grid_from_json, grid_to_json
from pocketrec_bench.grid.survey import survey
from pocketrec_runtime import Catalogue, quantize_rows, read_bundle
from pocketrec_runtime.errors import InputError


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """300 items 3 wide, correlated, the third component far from zero and constant."""
    rng = np.random.default_rng(5)
    first = rng.normal(2.0, 1.0, 300)
    rows = np.stack([first, 0.5 * first + rng.normal(size=300) * 0.1, np.full(300, 4.0)], axis=1)
    stored, scales = quantize_rows(rows.astype(np.float32))
    popularity = rng.dirichlet(np.full(300, 0.5)).astype(np.float32)
    return Catalogue(
        ids=[str(place) for place in range(300)],
        rows=stored,
        scales=scales,
        bias=np.arange(300, dtype=np.float32),
        popularity=popularity,
        columns={"title": [None] * 300},
    )


def test_a_larger_catalogue_keeps_mean_and_covariance(catalogue) -> None:
    found = drawn_vectors(catalogue, 100_000, seed=1)
    own = catalogue.vectors.astype(np.float64)
    assert found.rows.dtype == np.float32
    assert len(np.unique(found.rows, axis=0)) > 99_000
    # Standard errors of a mean are 1/316 of a standard deviation of about 1.
    np.testing.assert_allclose(found.rows.mean(axis=0), own.mean(axis=0), atol=0.015)
    np.testing.assert_allclose(np.cov(found.rows.T), np.cov(own.T, ddof=0), atol=0.02)
    assert found.popularity.sum() == pytest.approx(1.0, abs=1e-4)
    assert set(found.bias.tolist()) <= set(range(300))


def test_a_smaller_catalogue_is_a_sample_without_repeats(catalogue) -> None:
    found = drawn_vectors(catalogue, 40, seed=1)
    places = found.bias.astype(int)
    assert len(set(places.tolist())) == 40
    np.testing.assert_array_equal(found.rows, catalogue.vectors[places])
    np.testing.assert_allclose(
        found.popularity,
        catalogue.popularity[places] / catalogue.popularity[places].sum(),
        rtol=1e-5,
    )
    again, other = (drawn_vectors(catalogue, 40, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.rows, found.rows)
    assert not np.array_equal(other.rows, found.rows)


def _point(quality: float, ms: float, mb: float, **changes) -> Point:
    point = Point(
        bundle="b", items=5, own=True, history_events=9, backend="onnx", weights="float32",
        rows="int8", cache="float32", threads=1, cached=Latency.of([ms / 1e3]),
        uncached=Latency.of([1.0]), open_s=0.1, resident_bytes=round(mb * 1e6),
        disk_bytes=1_000_000, metric="ndcg@10", quality=quality, front=False,
    )  # fmt: skip
    return replace(point, **changes)


def test_the_front_by_hand() -> None:
    best, fast, worse = _point(0.30, 2.0, 50), _point(0.29, 1.0, 60), _point(0.29, 2.0, 50)
    alone = _point(0.10, 9.0, 90, history_events=3)
    assert dominates(best, worse)
    assert not dominates(best, fast)
    assert not dominates(best, best)
    marked = with_fronts([best, fast, worse, alone])
    assert [point.front for point in marked] == [True, True, False, True]


def test_the_recommendation_by_hand() -> None:
    points = [
        _point(0.300, 1.00, 90),
        _point(0.298, 1.05, 60),  # 99.3% of the best, 0.05 ms slower, least memory: this one
        _point(0.298, 1.05, 60, threads=2),
        _point(0.299, 1.30, 40),  # slower by what can be noticed
        _point(0.290, 0.50, 30),  # 96.7% of the best
        _point(0.300, 0.10, 10, history_events=3),
        _point(0.300, 0.10, 10, own=False),
    ]
    place, why = recommend(points)
    assert place == 1
    assert why.startswith(
        "of 5 ways to rank 5 items after 9 events, 4 keep 99% of the best ndcg@10; 3 of these"
    )
    assert "0.2980 (best 0.3000), 1.050 ms, 60.0 MB resident, 1.00 MB on disk" in why
    # Without an own catalogue the smallest drawn one counts.
    drawn = [_point(0.3, 5.0, 9, own=False, items=7), _point(0.3, 1.0, 9, own=False, items=8)]
    assert recommend(drawn)[0] == 0


def test_a_grid_comes_back_whole_and_strictly() -> None:
    build, device = Build("0.1.0", "ab" * 20), DeviceCard(cpu="Cortex-A72", architecture="arm64")
    points = (_point(0.3, 1.0, 9),)
    grid = Grid(build, device, "2026-03-01T12:00:00Z", points, 0, "the only one")
    assert grid_from_json(grid_to_json(grid)) == grid
    with pytest.raises(ResultFormatError, match="recommended is 1 of 1"):
        grid_from_json(grid_to_json(grid).replace('"recommended": 0', '"recommended": 1'))
    with pytest.raises(ResultFormatError, match=r"is no pocketrec\.bench_grid/1"):
        grid_from_json("{}")
    with pytest.raises(ResultFormatError, match="fingerprint"):
        grid_from_json(grid_to_json(grid).replace("Cortex-A72", "Cortex-A73"))


@pytest.mark.parametrize(
    "wrong",
    [{"items": (0,)}, {"history_events": ()}, {"threads": (999,)}, {"rows": ("int7",)}, {"k": 0}],
)
def test_wrong_axes_are_refused(wrong) -> None:
    with pytest.raises(InputError):
        GridPlan(**wrong)


def test_a_survey_measures_every_point(golden_bundle) -> None:
    plan = GridPlan(
        items=(90,), history_events=(4, 99), rows=("float32", "int4"), seconds=0.01, queries=20
    )
    said: list[str] = []
    grid = survey([golden_bundle], plan, say=said.append)
    places = [(p.items, p.own, p.rows, p.backend, p.history_events) for p in grid.points]
    # Its window is 12; its backends are ONNX Runtime and llama.cpp.
    assert sorted(set(places)) == sorted(places)
    assert len(places) == 2 * 2 * (1 + 2)
    assert {p[:3] for p in places} == {
        (40, True, "int4"), (90, False, "float32"), (90, False, "int4"),
    }  # fmt: skip
    assert {p.history_events for p in grid.points} == {4, 12}
    assert len(said) == 3
    by_kind = {(p.items, p.rows, p.backend): p.quality for p in grid.points}
    assert by_kind[90, "float32", "onnx"] == 1.0
    assert by_kind[90, "int4", "onnx"] < 1.0
    assert grid.points[grid.recommended].own
    assert any(p.front for p in grid.points)
    for point in grid.points:
        assert point.disk_bytes > 10_000
        assert point.resident_bytes > 10_000_000
        assert point.cached.count >= 30


def test_a_reference_is_what_drawn_catalogues_come_from(tiny_bundle, shifted_bundle) -> None:
    plan = GridPlan(items=(3,), history_events=(2,), seconds=0.01, queries=9)
    grid = survey([shifted_bundle], plan, reference=tiny_bundle, say=lambda _: None)
    own, drawn = grid.points
    assert own.quality < 1.0
    assert drawn.quality == 1.0
    assert read_bundle(tiny_bundle).contents.model.items == own.items == 5
