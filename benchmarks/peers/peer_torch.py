"""Eager PyTorch with the item table kept: the same tower, and a plain SASRec encoder."""

from pathlib import Path

from serve import Peer, serve


def imports() -> None:
    """What an app imports."""
    import torch  # noqa: F401


def load(folder: Path) -> Peer:
    """The student with its weights, and an untrained SASRec of the same size."""
    import numpy as np
    import torch
    from torch import nn

    from pocketrec_distill.models.llama import TowerShape
    from pocketrec_distill.models.student import Student

    torch.set_num_threads(1)
    table = torch.from_numpy(np.load(folder / "rows.npy"))
    histories = torch.from_numpy(np.load(folder / "histories.npy"))
    width = table.shape[1]
    student = Student(1, TowerShape(width=width), states=None).eval()
    weights = dict(np.load(folder / "weights.npz"))
    missing, unexpected = student.load_state_dict(
        {name: torch.from_numpy(value) for name, value in weights.items()}, strict=False
    )
    if missing != ["items.residual"] or unexpected:
        raise ValueError(f"weights do not fit: {missing}, {unexpected}")

    torch.manual_seed(1)
    layer = nn.TransformerEncoderLayer(
        width, 2, dim_feedforward=width, dropout=0.0, batch_first=True, norm_first=False
    )
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    places = torch.randn(histories.shape[1], width) * 0.02
    mask = nn.Transformer.generate_square_subsequent_mask(histories.shape[1])

    def top(vector: torch.Tensor, history: torch.Tensor) -> list[int]:
        scores = table @ vector
        scores[history] = -torch.inf
        return scores.topk(10).indices.tolist()

    def same(query: int) -> list[int]:
        history = histories[query % len(histories)]
        with torch.inference_mode():
            return top(student(table[history][None])[0, -1], history)

    def sasrec(query: int) -> list[int]:
        history = histories[query % len(histories)]
        with torch.inference_mode():
            hidden = encoder((table[history] + places)[None], mask=mask, is_causal=True)
            return top(hidden[0, -1], history)

    return Peer(
        rows={
            "PyTorch eager, same tower + top-k": same,
            "PyTorch eager, SASRec encoder + top-k": sasrec,
        },
        packages=["torch", "numpy"],
        note="the SASRec encoder is torch.nn.TransformerEncoder, 2 layers, 2 heads, untrained",
    )


if __name__ == "__main__":
    serve(imports, load)
