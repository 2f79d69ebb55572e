"""Rows of a small catalogue kept as float64 give the very scores of rows that are not."""

import numpy as np
import pytest

from pocketrec_runtime.scan import ItemRows, exact
from pocketrec_runtime.scan.fixed import fix


@pytest.mark.parametrize("kind", ["int8", "float32"])
def test_kept_rows_score_alike(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = rng.integers(-127, 128, (7, 5)).astype(np.int8)
    scales = rng.random(7, dtype=np.float32) if kind == "int8" else None
    stored = rows if kind == "int8" else rows.astype(np.float32) / 3
    bias = rng.normal(size=7).astype(np.float32)
    query = fix(rng.normal(size=5).astype(np.float32))
    assert query is not None
    kept = ItemRows(stored, scales, bias)
    monkeypatch.setattr(exact, "quick_rows", lambda *_sizes, **_kinds: 0)
    made_anew = ItemRows(stored, scales, bias)
    some = np.array([6, 0, 3])
    for indices in (None, some):
        np.testing.assert_array_equal(kept.scores(query, indices), made_anew.scores(query, indices))
    # The kept rows are read, never written.
    np.testing.assert_array_equal(kept.scores(query), made_anew.scores(query))
