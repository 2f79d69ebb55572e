"""Run by `check_arm64.sh`: a bundle's golden answers on this machine, and how far off they are."""

import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

from pocketrec_runtime import Engine


def main(path: Path) -> int:
    """0 where every golden query is answered as recorded."""
    golden = json.loads((path / "golden.json").read_text(encoding="utf-8"))
    started = time.perf_counter()
    engine = Engine.open(path, self_test=True)
    seconds = time.perf_counter() - started
    worst, places, same = 0.0, 0, 0
    for query in golden["queries"]:
        answer = engine.recommend(query["history"], query["k"])
        scores = np.array([item.score for item in answer.items])
        worst = max(worst, float(np.abs(scores - np.array(query["scores"])).max()))
        found = [item.item_id for item in answer.items]
        places += len(found)
        same += sum(a == b for a, b in zip(found, query["item_ids"], strict=True))
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}, "
          f"ONNX Runtime {onnxruntime.__version__}")  # fmt: skip
    print(f"{path}: self-test passed in {seconds:.1f} s on {engine.backend.used}")
    print(f"largest difference of a score {worst:.2e} (tolerance {golden['tolerance']:g}); "
          f"{same} of {places} places the same")  # fmt: skip
    return 0 if platform.machine() == "aarch64" else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
