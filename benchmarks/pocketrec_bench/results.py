"""What one run measured, as values: the contract between measuring and everything that reads it.

Times are seconds, sizes bytes. None always means "not measured", never zero. A result is
written and read by `to_json` and `from_json`, strictly: a key that is missing, unknown or of
another type is an error.
"""

from dataclasses import dataclass
from typing import Any, Literal

from pocketrec_bench.errors import ResultFormatError
from pocketrec_bench.figures import (
    Accuracy,
    Bandwidth,
    Energy,
    Latency,
    Load,
    LoadGenRun,
    Memory,
    Overhead,
    Slice,
    Stages,
    Sustained,
)
from pocketrec_bench.records import dump, from_values, parse, to_values

SCHEMA = "pocketrec.bench_result/1"

Scenario = Literal["single-stream", "multi-stream", "offline", "server"]
Division = Literal["cached", "uncached"]


@dataclass(frozen=True)
class Subject:
    """The bundle that was measured.

    Attributes:
        name: Its file name, without the folders above it.
        fingerprint: Of model and catalogue, 64 hexadecimal digits.
        items: Size of the catalogue.
        width: Length of a vector.
        blocks: Blocks of the user tower.
        window: Longest history that it reads, in events.
        disk_bytes: All files of the bundle.
    """

    name: str
    fingerprint: str
    items: int
    width: int
    blocks: int
    window: int
    disk_bytes: int


@dataclass(frozen=True)
class Settings:
    """How it was run. Two results are of the same kind where their settings are equal.

    Attributes:
        scenario: LoadGen's scenario.
        division: "cached": states of all users are warm, a query appends one event and scans.
            "uncached": a query reads the whole history and scans.
        backend: What the user tower really ran on: "onnx", "llama" or "numpy".
        devices: Devices that ran at least one operator of the user tower.
        weights: Precision of the user tower's weights, as its file stores them.
        rows: Precision of the catalogue's rows: "float32", "int8" or "int4".
        cache: Precision of keys and values.
        threads: Threads of one model run.
        k: Items in an answer.
        history_events: Median length of the histories, at most the window.
        samples: Different histories in the load.
        queries_from: "interactions" for held-out events, "popularity" for histories drawn from
            the bundle's popularity.
        seconds: Least time that the load was asked to last.
        min_queries: Least number of queries that it was asked to have.
        samples_per_query: Histories in one query: 1, or more in multi-stream and offline.
        target_qps: Arrivals per second in the server scenario, else None.
        target_latency_s: Latency that 99% of the server scenario's queries must meet, else None.
        seed: Of everything that is drawn here; LoadGen's own seeds are those of MLPerf.
        quick: A trial run that is never valid.
    """

    scenario: Scenario
    division: Division
    backend: str
    devices: tuple[str, ...]
    weights: str
    rows: str
    cache: str
    threads: int
    k: int
    history_events: int
    samples: int
    queries_from: Literal["interactions", "popularity"]
    seconds: float
    min_queries: int
    samples_per_query: int
    target_qps: float | None
    target_latency_s: float | None
    seed: int
    quick: bool


@dataclass(frozen=True)
class Result:
    """One run of one bundle in one scenario and division.

    Attributes:
        measured_at: When it began, UTC, ISO 8601.
        subject: What was measured.
        settings: How.
        latency: Of one query, as the harness timed it inside LoadGen; offline of one batch of at
            most 64 histories; server from arrival to answer.
        duration_s: First query's start to the last one's end.
        throughput_qps: Histories answered per second.
        loadgen: LoadGen's own account.
        stages: The parts of the way.
        slices: The load over time, in order; never empty.
        sustained: First against last stretch.
        memory: Of a fresh process.
        energy: None where the machine has no counter that may be read.
        accuracy: None only in a run that was asked to leave it out, which is never valid.
        bandwidth: None where it was not measured.
        overhead: Of timer and harness.
        load: Of the machine by others.
        valid: Whether the figures may be quoted.
        reasons: Why not, in words; empty where valid.
    """

    measured_at: str
    subject: Subject
    settings: Settings
    latency: Latency
    duration_s: float
    throughput_qps: float
    loadgen: LoadGenRun
    stages: Stages
    slices: tuple[Slice, ...]
    sustained: Sustained
    memory: Memory
    energy: Energy | None
    accuracy: Accuracy | None
    bandwidth: Bandwidth | None
    overhead: Overhead
    load: Load
    valid: bool
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.valid != (not self.reasons):
            raise ValueError(
                f"valid is {self.valid} with {len(self.reasons)} reasons against it; a result is "
                "valid exactly where there is none"
            )
        if not self.slices:
            raise ValueError("slices are empty; a load has at least one")


def to_document(result: Result) -> dict[str, Any]:
    """JSON values of a result, its schema first."""
    return {"schema": SCHEMA, **to_values(result)}


def from_document(document: object, name: str = "result") -> Result:
    """The result of parsed JSON values.

    Raises:
        ResultFormatError: Another schema; a key that is missing, unknown or of another type; or
            values that contradict each other.
    """
    if not isinstance(document, dict):
        raise ResultFormatError(f"{name} is a {type(document).__name__}; it must be an object")
    if document.get("schema") != SCHEMA:
        raise ResultFormatError(
            f"{name} has schema {document.get('schema')!r}; this version reads {SCHEMA!r}"
        )
    return from_values(Result, {key: document[key] for key in document if key != "schema"}, name)


def to_json(result: Result) -> str:
    """One line of JSON, without a newline at its end."""
    return dump(to_document(result))


def from_json(text: str | bytes, name: str = "result") -> Result:
    """The result that `to_json` wrote.

    Raises:
        ResultFormatError: As `from_document`, or the text is no JSON.
    """
    return from_document(parse(text, name), name)
