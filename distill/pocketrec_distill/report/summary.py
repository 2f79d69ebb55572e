"""What a report says in a few words: its headline, and the order and names of its models."""

from pocketrec_distill.report.names import model_name
from pocketrec_distill.report.schema import Report
from pocketrec_distill.report.verdict import verdict

__all__ = [
    "duration_text",
    "headline",
    "llm_teacher",
    "milliseconds_text",
    "model_name",
    "ranked_models",
    "size_text",
]


def ranked_models(split: Report) -> list[str]:
    """Model keys of one split, best NDCG@10 first; equal ones keep their order."""
    return sorted(split, key=lambda model: -float(split[model]["ndcg@10"]))


def size_text(size_bytes: int) -> str:
    """A size in decimal units, for example `1.9 MB`."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value, unit = next(
        (size_bytes / factor, unit)
        for factor, unit in ((1e3, "kB"), (1e6, "MB"), (1e9, "GB"))
        if size_bytes / factor < 999.5 or unit == "GB"
    )
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def duration_text(seconds: float) -> str:
    """A duration, for example `0.4 s`, `2 min 05 s` or `1 h 02 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def milliseconds_text(value_ms: float) -> str:
    """A latency to three significant digits, for example `0.104 ms` or `83.1 ms`."""
    digits = 3 if value_ms < 1 else 2 if value_ms < 10 else 1 if value_ms < 100 else 0
    return f"{value_ms:,.{digits}f} ms"


def headline(report: Report) -> str:
    """What was shipped, how well it ranks, beside the LLM teacher, and how fast.

    What the gate found wrong comes first; it compares with what the student learned from, which is
    the blend where there is one.
    """
    shipped = report["test"]["shipped"]["ndcg@10"]
    retention, latency = report["retention"], report["latency_ms"]
    low, high = retention["ci95"]
    found = verdict(report["gate"]) if report.get("gate") else ""
    told = (
        f"A bundle of {size_text(report['bundle_bytes'])} ranks at NDCG@10 {shipped:.3f} on the "
        f"test split: {retention['ratio']:.0%} of {llm_teacher(report)} ({low:.0%} to "
        f"{high:.0%}) and {latency['ratio']:,.0f} times faster than it, "
        f"{milliseconds_text(latency['shipped']['median'])} an answer."
    )
    return f"{found} {told}" if found else told


def llm_teacher(report: Report) -> str:
    """What `retention` and the latency ratio of a report compare with, apart from any blend."""
    return "the LLM teacher alone" if "blend" in report["test"] else "the LLM teacher"
