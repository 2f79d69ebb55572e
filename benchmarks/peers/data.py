"""The same made-up catalogue, tower and histories for every peer.

Written to a folder: `rows.npy` (item vectors, float32, what the int8 rows stand for),
`histories.npy` (item indices, oldest first), `expected.npy` (top ten by PyTorch in float64),
`weights.npz` (the tower's weights), `user_tower.onnx`, `bundle/` and `titles.txt`.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

WIDTH, HISTORY, QUERIES, K, SEED = 64, 50, 200, 10, 7
_FIRST = ("Silent", "Golden", "Broken", "Hidden", "Crimson", "Distant", "Frozen", "Gentle")
_SECOND = ("River", "Mountain", "Letter", "Garden", "Station", "Mirror", "Harbour", "Shadow")


def titles(items: int) -> list[str]:
    """A short English title per item, no two alike."""
    pairs = [f"The {first} {second}" for second in _SECOND for first in _FIRST]
    return [f"{pairs[i % len(pairs)]} {i // len(pairs) + 1}" for i in range(items)]


def make(folder: Path, items: int) -> None:
    """Write the folder, unless it is there already."""
    if (folder / "made.json").exists():
        return
    import torch

    from pocketrec_distill.export import export_user_tower
    from pocketrec_distill.models.llama import TowerShape
    from pocketrec_distill.models.student import Student
    from pocketrec_runtime import (
        BundleContents,
        Calibration,
        Catalogue,
        ModelShape,
        quantize_rows,
        record_golden,
        write_bundle,
    )

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    shape = TowerShape(width=WIDTH)
    student = Student(items, shape, states=None).eval()
    rng = np.random.default_rng(SEED)
    made_up = rng.normal(size=(items, WIDTH)).astype(np.float32) / np.float32(np.sqrt(WIDTH))
    rows, scales = quantize_rows(made_up)
    vectors = rows.astype(np.float32) * scales[:, None]
    histories = np.stack([rng.permutation(items)[:HISTORY] for _ in range(QUERIES)])
    weights = {name: value.numpy() for name, value in student.state_dict().items()}
    del weights["items.residual"]
    tower = export_user_tower(student)
    catalogue = Catalogue(
        ids=tuple(map(str, range(items))),
        rows=rows,
        scales=scales,
        bias=np.zeros(items, np.float32),
        popularity=np.zeros(items, np.float32),
        columns={"title": titles(items)},
    )
    contents = BundleContents(
        model=ModelShape(
            width=WIDTH,
            blocks=shape.blocks,
            heads=shape.heads,
            kv_heads=shape.kv_heads,
            head_dim=shape.head_dim,
            window=2 * HISTORY,
            items=items,
        ),
        catalogue=catalogue,
        calibration=Calibration(),
        user_tower=tower,
        license="CC0-1.0",
        provenance={"made_by": "benchmarks/peers"},
    )
    golden = [[str(item) for item in history] for history in histories[:2]]
    write_bundle(folder / "bundle", record_golden(contents, golden, k=K))
    (folder / "user_tower.onnx").write_bytes(tower)
    (folder / "titles.txt").write_text("\n".join(titles(items)), encoding="utf-8")
    np.save(folder / "rows.npy", vectors)
    np.save(folder / "histories.npy", histories)
    np.savez(folder / "weights.npz", **weights)
    np.save(folder / "expected.npy", _expected(student.double(), vectors, histories))
    sizes = {"items": items, "history": HISTORY, "queries": QUERIES, "shape": asdict(shape)}
    (folder / "made.json").write_text(json.dumps(sizes))


def _expected(student, vectors, histories):  # noqa: ANN001, ANN202 - torch is not imported here
    """Top ten of every history, seen items left out, in float64."""
    import torch

    table = torch.from_numpy(vectors).double()
    best = []
    with torch.inference_mode():
        for history in torch.from_numpy(histories):
            scores = table @ student(table[history][None])[0, -1]
            scores[history] = -torch.inf
            best.append(scores.topk(K).indices.numpy())
    return np.stack(best)
