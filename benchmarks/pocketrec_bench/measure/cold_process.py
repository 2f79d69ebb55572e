"""One cold start: the process that `cold.cold_starts` runs with `python -m`.

Nothing of the runtime is imported before the clock runs.
"""

import json
import sys
from time import perf_counter

from pocketrec_bench.measure.memory import resident_bytes


def main() -> None:
    """Import, open, answer; the task on stdin, the figures on stdout."""
    task = json.loads(sys.stdin.read())
    run = task["run"]
    begun = perf_counter()
    import pocketrec_runtime as rt  # noqa: PLC0415 - it is what is timed

    _import_backend(run["backend"])
    imported = perf_counter()
    base = resident_bytes()
    before = perf_counter()
    engine = rt.Engine.open(
        task["bundle"],
        backend=run["backend"],
        providers=run["providers"],
        threads=run["threads"],
        cache=run["cache"],
        gpu_layers=run["gpu_layers"],
        profile=None,
    )
    opened = perf_counter()
    first, *others = task["histories"]
    engine.recommend(first)
    answered = perf_counter()
    for history in others:
        engine.recommend(history)
    from pocketrec_runtime.memory import peak_memory_bytes  # noqa: PLC0415 - likewise

    memory = {
        "base_bytes": base,
        "resident_bytes": resident_bytes(),
        "peak_bytes": peak_memory_bytes(),
    }
    figures = {
        "imports_s": imported - begun,
        "open_s": opened - before,
        "first_s": answered - opened,
        "memory": memory,
    }
    sys.stdout.write(json.dumps(figures))


def _import_backend(backend: str) -> None:
    # The scan and the item tower need ONNX Runtime whatever reads histories.
    import onnxruntime  # noqa: F401, PLC0415

    if backend == "llama":
        import llama_cpp  # noqa: F401, PLC0415


if __name__ == "__main__":
    main()
