"""A served teacher reads the item vectors that its run did."""

from types import SimpleNamespace

import pytest
import torch

from pocketrec_distill.pipeline.blending import BlendChoice
from pocketrec_distill.serving import export

from .conftest import NEAREST, Tower


@pytest.mark.parametrize("nearest", [True, False])
def test_unknown_items_are_filled_where_the_run_filled_them(
    towers: dict[str, Tower], nearest: bool
) -> None:
    run = SimpleNamespace(
        data=SimpleNamespace(nearest=NEAREST),
        blend_choice=BlendChoice((1.0, 1.0), nearest),
        **towers,
    )
    parts = export._towers(run, ("control", "sasrec"))
    for name in ("control", "sasrec"):
        vectors = towers[name].item_vectors().detach()
        written = parts[name].tensors["items"]
        assert torch.equal(written[[0, 1, 2, 4]], vectors[[0, 1, 2, 4]])
        torch.testing.assert_close(written[3], vectors[0 if nearest else 3])
