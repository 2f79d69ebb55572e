"""What the training-side tests share: one thread, tiny LLMs in folders, students as bundles."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pocketrec_distill.llm import BaseLlm, load_base_llm
from pocketrec_distill.models import SequenceScorer
from pocketrec_distill.pipeline.students import AnyStudent
from pocketrec_runtime import (
    BundleContents,
    Calibration,
    Catalogue,
    Engine,
    ModelShape,
    record_golden,
    write_bundle,
)

LLM_WIDTH, LLM_BLOCKS = 32, 2


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """The machine is shared, and sums come out in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def llm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of 2 blocks, width 32 and 2 heads with a byte-level tokenizer; copy to change it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("llm")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["the star wars of the stars, the red alert"], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    fast.save_pretrained(folder)
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=LLM_WIDTH,
        intermediate_size=48,
        num_hidden_layers=LLM_BLOCKS,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
        # The usual 0.02 leaves blocks this small next to silent.
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def llm(llm_folder: Path) -> BaseLlm:
    """The tiny LLM, loaded afresh: a teacher changes the one it is given."""
    return load_base_llm(str(llm_folder), "fp32")


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of one block without a head, and a tokenizer over single characters."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    characters = [chr(code) for code in range(33, 127)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    words += [f"##{character}" for character in characters]
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(words) + "\n", encoding="utf-8")
    BertTokenizerFast(vocab_file=str(vocabulary)).save_pretrained(folder)
    torch.manual_seed(4)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.4,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def shape_of() -> Callable[[AnyStudent, int], ModelShape]:
    """The sizes of a student that reads so many events, and of a bundle of it with float rows."""

    def shape_of(student: AnyStudent, window: int) -> ModelShape:
        shape = student.shape
        return ModelShape(
            width=student.width,
            blocks=shape.blocks,
            heads=shape.heads,
            kv_heads=shape.kv_heads,
            head_dim=shape.head_dim,
            window=window,
            items=len(student.item_vectors()),
            rows="float32",
        )

    return shape_of


@pytest.fixture
def check_ranks_as_pytorch(
    shape_of: Callable[[AnyStudent, int], ModelShape], tmp_path: Path
) -> Callable[[AnyStudent, bytes, int], None]:
    """Checks that a bundle of a student and its ONNX tower scores and ranks as the student does."""

    def check(student: AnyStudent, tower: bytes, window: int) -> None:
        with torch.inference_mode():
            rows = np.ascontiguousarray(student.item_vectors().numpy())
        items = len(rows)
        ids = [f"item {index}" for index in range(items)]
        contents = BundleContents(
            model=shape_of(student, window),
            catalogue=Catalogue(
                ids=ids,
                rows=rows,
                scales=None,
                bias=np.zeros(items, np.float32),
                popularity=np.full(items, 1 / items, np.float32),
                columns={"title": ids},
            ),
            calibration=Calibration(),
            user_tower=tower,
            license="CC0-1.0",
        )
        write_bundle(tmp_path / "bundle", record_golden(contents, [ids[:3], ids[5:]], k=3))
        engine = Engine.open(tmp_path / "bundle")
        history = np.array([4, 0, 7], np.int32)
        expected = SequenceScorer(student, window).scores([history])[0]
        before = engine.reused_positions
        state, _ = engine.prefill(history[:2].tolist())
        _, vector = engine.append(state, 7)
        assert engine.reused_positions == before + 2
        gap = np.abs(engine.scores(vector) - expected)
        print(f"engine: max {gap.max():.2e}, mean {gap.mean():.2e}")  # noqa: T201  (says how close)
        assert gap.max() < 1e-4
        order = [item for item in np.argsort(-expected).tolist() if item not in history]
        answer = engine.recommend([ids[item] for item in history], k=4)
        assert [item.item_id for item in answer.items] == [ids[item] for item in order[:4]]

    return check
