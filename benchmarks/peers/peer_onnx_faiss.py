"""The same tower in ONNX Runtime without a cache: full prefill, then a flat faiss index."""

from pathlib import Path

from serve import Peer, serve


def imports() -> None:
    """What an app imports."""
    import faiss  # noqa: F401
    import onnxruntime  # noqa: F401


def load(folder: Path) -> Peer:
    """A session and an index over the item vectors."""
    import faiss
    import numpy as np
    import onnxruntime as ort

    faiss.omp_set_num_threads(1)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(
        str(folder / "user_tower.onnx"), options, providers=["CPUExecutionProvider"]
    )
    rows = np.load(folder / "rows.npy")
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    histories = np.load(folder / "histories.npy")
    past = {
        port.name: np.zeros((1, port.shape[1], 0, port.shape[3]), np.float32)
        for port in session.get_inputs()[1:]
    }

    def answer(query: int) -> list[int]:
        history = histories[query % len(histories)]
        (vector,) = session.run(["user_vector"], {"item_vectors": rows[history][None], **past})
        # As many more as could be seen items.
        _, found = index.search(vector, 10 + len(history))
        return found[0][~np.isin(found[0], history)][:10]

    return Peer(
        rows={"ONNX Runtime full prefill + faiss flat": answer},
        packages=["onnxruntime", "faiss-cpu", "numpy"],
    )


if __name__ == "__main__":
    serve(imports, load)
