"""RecTools: SASRecModel.recommend for one user, items seen left out."""

import warnings
from pathlib import Path

from serve import Peer, serve

warnings.simplefilter("ignore")


def imports() -> None:
    """What an app imports."""
    from rectools.dataset import Dataset  # noqa: F401
    from rectools.models import SASRecModel  # noqa: F401


def load(folder: Path) -> Peer:
    """A model that knows every item; trained for one epoch, which its speed does not depend on."""
    import numpy as np
    import pandas as pd
    import torch
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel

    torch.set_num_threads(1)
    histories = np.load(folder / "histories.npy")
    items = len((folder / "titles.txt").read_text(encoding="utf-8").splitlines())
    # Users after the queries' hold every item once, so that the model ranks the whole catalogue.
    rest = np.resize(np.arange(items), (-(-items // 50), 50))
    sequences = np.concatenate([histories, rest])
    users, length = sequences.shape
    frame = pd.DataFrame(
        {
            Columns.User: np.repeat(np.arange(users), length),
            Columns.Item: sequences.ravel(),
            Columns.Weight: 1.0,
            Columns.Datetime: pd.Timestamp("2020-01-01")
            + pd.to_timedelta(np.tile(np.arange(length), users), unit="D"),
        }
    )
    dataset = Dataset.construct(frame)
    model = SASRecModel(
        n_blocks=2,
        n_heads=2,
        n_factors=64,
        session_max_len=length,
        loss="BCE",
        epochs=1,
        verbose=0,
        recommend_torch_device="cpu",
    )
    model.fit(dataset)

    def answer(query: int) -> list[int]:
        found = model.recommend([query % len(histories)], dataset, k=10, filter_viewed=True)
        return found[Columns.Item].tolist()

    return Peer(
        rows={"RecTools SASRec recommend": answer},
        packages=["rectools", "torch", "numpy", "pandas"],
        note="cold start and peak memory include one epoch of training",
    )


if __name__ == "__main__":
    serve(imports, load)
