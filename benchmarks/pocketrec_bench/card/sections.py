"""The sections of a card's page, one function each."""

from collections.abc import Sequence

from pocketrec_bench.card.document import Card
from pocketrec_bench.card.repeat import repeat_command
from pocketrec_bench.card.words import Kind, duration, number, size
from pocketrec_bench.replicates import agreement
from pocketrec_bench.results import Result
from pocketrec_runtime.page import Markup, element, join, row, table

TERMS = {
    "Cached": "users' states are warm: a query appends one event to the kept keys and values, "
    "then ranks. Uncached: a query reads the whole history. MLPerf's rules ask for both apart.",
    "p50, p90, p99": "half, 90% and 99% of the queries were at least so fast.",
    "Early stopping": "MLPerf's rule for how many queries prove a percentile: 64 for p90, 662 "
    "for p99; its bound holds with 99% confidence.",
    "Replicates": "the same run again. Figures that may be quoted agree within 5%.",
    "Valid": "at least 60 s and 1,024 queries, early stopping satisfied, quality kept, the "
    "harness's own cost at most 5% of the fastest figure, the machine not taken by others.",
    "Bandwidth share": "bytes that a query must read at least, over its median latency, against "
    "what the machine reads from memory; above 100% caches held them.",
}


def notice(card: Card) -> Markup:
    """What stands against the figures, first of all; nothing where all runs are valid."""
    reasons: dict[str, int] = {}
    for result in card.results:
        for reason in result.reasons:
            reasons[reason] = reasons.get(reason, 0) + 1
    if not reasons:
        return Markup()
    bad = sum(not result.valid for result in card.results)
    entries = (
        element("li", reason if count == 1 else f"{reason} ({count} runs)")
        for reason, count in reasons.items()
    )
    return element(
        "div",
        element("p", f"{bad} of {len(card.results)} runs are not valid: do not quote them."),
        element("ul", *entries),
        class_="notice",
        role="note",
    )


def runs(card: Card, kinds: Sequence[Kind]) -> Markup:
    """One row per kind of run: latency, throughput, quality, memory."""
    head = ["Run", "p50", "p90", "p99", "histories/s", "quality", "memory", "disk", "valid"]
    rows = [_run(kind) for kind in kinds]
    first = kinds[0].first.settings
    note = (
        f"{first.scenario}, {first.division}, {first.backend}, {first.threads} thread(s), "
        f"{first.history_events} events of history, {first.k} items in an answer"
        if len(kinds) == 1
        else f"Rows are named by what differs; all: {first.k} items in an answer"
    )
    drawn = "held-out events" if first.queries_from == "interactions" else "made-up histories"
    again = (repeat_command(Card(card.build, card.device, kind.runs)) for kind in kinds)
    commands = element("pre", "\n".join(dict.fromkeys(again)))
    details = element("details", join(element("summary", "Measure again"), commands))
    return section(
        "Runs", f"{note}; queries are {drawn}.", table(head, rows, caption="Runs"), details
    )


def replicates(kinds: Sequence[Kind]) -> Markup:
    """Whether replicates agree; nothing where nothing was replicated."""
    said = [
        element("li", f"{kind.label}: {agreement(kind.runs)}")
        for kind in kinds
        if len(kind.runs) > 1 and min(run.latency.p50_s for run in kind.runs) > 0
    ]
    if not said:
        return Markup()
    note = "The same run again: how far figures move by themselves."
    return section("Replicates", note, element("ul", *said))


def trust(kinds: Sequence[Kind]) -> Markup:
    """What speaks for and against the figures of each kind."""
    head = ["Run", "LoadGen", "queries", "p99 proven", "harness", "sustained", "others' cores",
            "bandwidth", "energy a query"]  # fmt: skip
    rows = [_trust(kind.label, kind.first) for kind in kinds]
    note = (
        "LoadGen's own verdict; the 99th percentile that its early stopping proves; the cost of "
        "measuring over the fastest figure; the last stretch over the first; cores' worth of "
        "time that others took."
    )
    return section("Whether to believe it", note, table(head, rows, caption="Trust"))


def device(card: Card) -> Markup:
    """The machine and the build."""
    facts = card.device
    cores = f"{_known(facts.cores_usable)} of {_known(facts.cores_present)} usable"
    if facts.core_quota is not None:
        cores += f", limited to {number(facts.core_quota)} cores' worth of time"
    caches = ", ".join(
        f"L{each.level} {each.kind} {each.instances} x {each.size_bytes >> 10:,} KiB"
        for each in facts.caches
    )
    frequency = (
        f"{facts.lowest_mhz:,.0f} to {facts.highest_mhz:,.0f} MHz"
        if facts.lowest_mhz is not None and facts.highest_mhz is not None
        else "unknown"
    )
    rows = [
        row("Processor", facts.cpu),
        row("Board", facts.board),
        row("Architecture", f"{facts.architecture}; {', '.join(facts.features) or 'no features'}"),
        row("Cores", cores),
        row("Caches", caches or "unknown"),
        row("Memory", f"{size(facts.memory_bytes) if facts.memory_bytes else 'unknown'}, "
            f"limit of this process: {size(facts.memory_limit_bytes)}"),
        row("Clock", f"{frequency}; governor {facts.governor}; turbo {_known(facts.turbo)}"),
        row("Virtual", f"container {facts.container}, hypervisor {facts.hypervisor}"),
        row("Power", facts.power),
        row("System", f"{facts.system}, kernel {facts.kernel}"),
        row("Execution providers", ", ".join(facts.providers) or "none"),
        *(row(name, version) for name, version in facts.versions.items()),
        row("Commit", card.build.commit),
        row("Fingerprint", facts.fingerprint),
    ]  # fmt: skip
    note = "Figures of devices with another fingerprint are not comparable with these."
    return section("Device", note, table(["", ""], rows, caption="Device", class_="words"))


def glossary() -> Markup:
    """What the words mean."""
    terms = join(*(element("dt", term) + element("dd", text) for term, text in TERMS.items()))
    return element("section", element("h2", "Words"), element("dl", terms, class_="words"))


def section(title: str, note: str, *content: Markup) -> Markup:
    """A section with its heading and one sentence about it."""
    return element("section", element("h2", title), element("p", note), *content)


def quality(result: Result) -> str:
    """The accuracy run in few words."""
    found = result.accuracy
    if found is None:
        return "not measured"
    metric = "NDCG@10" if found.metric == "ndcg@10" else "agreement"
    return f"{metric} {found.value:.4f} ({found.ratio:.1%})"


def _run(kind: Kind) -> Markup:
    result = kind.first
    valid = "yes" if all(run.valid for run in kind.runs) else "no"
    return row(
        kind.label,
        *(duration(value) for value in (result.latency.p50_s, result.latency.p90_s,
                                        result.latency.p99_s)),
        f"{result.throughput_qps:,.0f}",
        quality(result),
        size(result.memory.resident_bytes),
        size(result.subject.disk_bytes),
        valid,
    )  # fmt: skip


def _trust(label: str, result: Result) -> Markup:
    loadgen, load = result.loadgen, result.load
    sustained = f"{result.sustained.ratio:.3f}"
    if result.sustained.throttled:
        sustained += ", throttled"
    return row(
        label,
        "valid" if loadgen.valid else "not valid",
        f"{loadgen.queries:,}",
        duration(loadgen.early_stopping_p99_s),
        f"{result.overhead.share:.2%}",
        sustained,
        "not measured" if load.other_cores is None else f"{load.other_cores:.2f}",
        "not measured" if result.bandwidth is None else f"{result.bandwidth.share:.0%}",
        "not measured"
        if result.energy is None
        else f"{number(result.energy.joules_per_query * 1e3)} mJ",
    )


def _known(value: int | bool | None) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)
