"""One small student with clear structure, trained here, and every backend that runs it.

Items stand on rings; a user moves one to ten places on, the nearer the likelier, so that the
ten best items are known. Random weights would rank by noise, and any rounding change places.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from pocketrec_distill.export import export_gguf, export_user_tower
from pocketrec_distill.models import TowerShape
from pocketrec_distill.models.student import Student
from pocketrec_runtime import BundleContents, Calibration, Catalogue, ModelShape
from pocketrec_runtime.towers import RunSettings, UserTower, open_user_tower

RINGS, PLACES, WINDOW = 12, 25, 24
TRAINING_STEPS = 70
# One place on is twice as likely as four.
STEPS = 0.8 ** np.arange(10) / (0.8 ** np.arange(10)).sum()
ITEMS = RINGS * PLACES
SHAPE = TowerShape(width=64, blocks=2, heads=4, kv_heads=2, hidden=96)


@dataclass(frozen=True)
class Case:
    """A backend with a precision, and how near to the oracle it must be.

    Attributes:
        backend: As in `RunSettings`.
        precision: Of the file's matrices.
        cache: Of keys and values.
        rounding: Largest difference of a score between two ways to the same state.
        difference: Largest difference of a score from the oracle on float32 weights.
        overlap: Least mean top-10 overlap with that oracle.
        tau: Least mean Kendall tau with it.
    """

    backend: str
    precision: str
    cache: str = "float32"
    rounding: float = 1e-4
    difference: float = 1e-4
    overlap: float = 1.0
    tau: float = 1.0

    def __str__(self) -> str:
        return f"{self.backend}-{self.precision}-{self.cache}"


CASES = [
    Case("onnx", "float32"),
    Case("numpy", "F32"),
    Case("numpy", "F16", difference=0.005, tau=0.999),
    Case("numpy", "Q8_0", difference=0.1, overlap=0.99, tau=0.99),
    Case("numpy", "Q4_0", difference=1.0, overlap=0.95, tau=0.9),
    Case("llama", "F32"),
    Case("llama", "F32", "float16", rounding=0.005, difference=0.01, tau=0.998),
    # Half-precision products add in another order for one position than for several.
    Case("llama", "F16", rounding=0.005, difference=0.01, tau=0.998),
    Case("llama", "Q8_0", difference=0.2, overlap=0.99, tau=0.98),
    Case("llama", "Q4_0", difference=1.0, overlap=0.95, tau=0.9),
]


def made_histories(generator: np.random.Generator, count: int, length: int) -> np.ndarray:
    """Item indices int64 (count, length) of users that each walk on one ring."""
    ring, start = generator.integers(0, (RINGS, PLACES), (count, 2)).T
    steps = generator.choice(np.arange(1, 11), (count, length), p=STEPS)
    places = start[:, None] + steps.cumsum(axis=1)
    return ring[:, None] * PLACES + places % PLACES


@pytest.fixture(scope="session")
def student() -> Student:
    torch.manual_seed(3)
    generator = np.random.default_rng(0)
    student = Student(ITEMS, SHAPE, None, dropout=0.0)
    torch.nn.init.normal_(student.items.residual, std=0.1)
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, TRAINING_STEPS)
    for _ in range(TRAINING_STEPS):
        events = torch.from_numpy(made_histories(generator, 32, 13))
        vectors = student.item_vectors()
        logits = student(vectors[events[:, :-1]]) @ vectors.T
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), events[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    assert loss.item() < 2.6, f"the floor is {-(STEPS * np.log(STEPS)).sum():.2f}"
    return student.eval()


@pytest.fixture(scope="session")
def vectors(student: Student) -> np.ndarray:
    with torch.inference_mode():
        return np.ascontiguousarray(student.item_vectors().numpy())


@pytest.fixture(scope="session")
def queries() -> Sequence[np.ndarray]:
    """200 histories of 1 to `WINDOW` events."""
    generator = np.random.default_rng(8)
    lengths = generator.integers(1, WINDOW + 1, 200)
    return [made_histories(generator, 1, length)[0] for length in lengths]


@pytest.fixture(scope="session")
def files(student: Student) -> dict[str, bytes]:
    """The student in every form: "float32" is ONNX, the others are GGUF."""
    forms = {name: export_gguf(student, WINDOW, name) for name in ("F32", "F16", "Q8_0", "Q4_0")}
    return {"float32": export_user_tower(student), **forms}


@pytest.fixture(scope="session")
def ring_shape() -> ModelShape:
    return ModelShape(
        width=SHAPE.width,
        blocks=SHAPE.blocks,
        heads=SHAPE.heads,
        kv_heads=SHAPE.kv_heads,
        head_dim=SHAPE.head_dim,
        window=WINDOW,
        items=ITEMS,
        rows="float32",
    )


@pytest.fixture(scope="session")
def made(files, vectors, ring_shape):
    """The bundle contents of a case."""

    def make(case: Case) -> BundleContents:
        return BundleContents(
            model=ring_shape,
            catalogue=Catalogue(
                ids=tuple(f"item {index}" for index in range(ITEMS)),
                rows=vectors,
                scales=None,
                bias=np.zeros(ITEMS, np.float32),
                popularity=np.full(ITEMS, 1 / ITEMS, np.float32),
                columns={"title": (None,) * ITEMS},
            ),
            calibration=Calibration(),
            user_tower=files["float32"],
            user_tower_gguf=files["F32" if case.backend == "onnx" else case.precision],
        )

    return make


@pytest.fixture(scope="session", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="session")
def settings(case: Case) -> RunSettings:
    return RunSettings(backend=case.backend, cache=case.cache)


@pytest.fixture(scope="session")
def tower(case: Case, settings: RunSettings, made) -> UserTower:
    return open_user_tower(made(case), settings)


@pytest.fixture(scope="session")
def oracle(made) -> UserTower:
    return open_user_tower(made(Case("numpy", "F32")), RunSettings(backend="numpy"))
