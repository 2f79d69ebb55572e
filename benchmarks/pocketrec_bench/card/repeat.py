"""The command line that measures a card again."""

from pocketrec_bench.card.document import Card


def repeat_command(card: Card) -> str:
    """The command line that measures the first run of a card again, all replicates with it."""
    result = card.results[0]
    settings = result.settings
    words = ["pocketrec", "bench", result.subject.name]
    for option, value, default in (
        ("--scenario", settings.scenario, "single-stream"),
        ("--division", settings.division, "cached"),
        ("--backend", settings.backend, "onnx"),
        ("--cache", settings.cache, "float32"),
        ("--threads", settings.threads, 1),
        ("--k", settings.k, 10),
        ("--seconds", f"{settings.seconds:g}", "60"),
        ("--queries", settings.min_queries, 1024),
        ("--seed", settings.seed, 7),
        ("--replicate", len(card.results), 1),
    ):
        if value != default:
            words += [option, str(value)]
    if settings.scenario == "multi-stream":
        words += ["--streams", str(settings.samples_per_query)]
    if settings.target_qps is not None:
        words += ["--target-qps", f"{settings.target_qps:g}"]
    if settings.queries_from == "interactions":
        words += ["--interactions", "TABLE"]
    return " ".join(words)
