"""pocketrec: one event appended to the cache, or the whole history; certified top ten."""

from pathlib import Path

from serve import Peer, serve


def imports() -> None:
    """What an app imports."""
    import pocketrec_runtime  # noqa: F401


def load(folder: Path) -> Peer:
    """The bundle, verified and self-tested, and a state of all events but the newest."""
    import numpy as np

    from pocketrec_runtime import Engine

    engine = Engine.open(folder / "bundle")
    histories = np.load(folder / "histories.npy").tolist()
    states = []

    def warm() -> None:
        states.extend(engine.prefill(history[:-1])[0] for history in histories)

    def append(query: int) -> list[int]:
        state, newest = states[query % len(states)], histories[query % len(states)][-1]
        grown, vector = engine.append(state, newest)
        return engine.top_k(vector, 10, exclude=grown.seen)[0]

    def prefill(query: int) -> list[int]:
        state, vector = engine.prefill(histories[query % len(histories)])
        return engine.top_k(vector, 10, exclude=state.seen)[0]

    return Peer(
        rows={
            "pocketrec, full prefill + certified top-10": prefill,
            "pocketrec, append + certified top-10": append,
        },
        packages=["numpy", "onnxruntime"],
        warm=warm,
        note="cold start verifies every hash and answers the golden queries",
    )


if __name__ == "__main__":
    serve(imports, load)
