"""Limits that a control group of Linux sets, version 2 or 1."""

import math
from collections.abc import Iterator

from pocketrec_bench.device.source import Source

_ROOT = "/sys/fs/cgroup"
# Version 1 says "no limit" as a number near 2^63.
_NO_LIMIT = 1 << 60


def processor_quota(source: Source) -> float | None:
    """Seconds of processor time per second; the tightest of the group and those above it."""
    found = [_quota_of_v2(text) for text in _texts(source, "", "cpu.max")]
    for controller in ("cpu", "cpu,cpuacct"):
        quotas = _texts(source, controller, "cpu.cfs_quota_us")
        periods = _texts(source, controller, "cpu.cfs_period_us")
        found += [_ratio(quota, period) for quota, period in zip(quotas, periods, strict=False)]
    return min((quota for quota in found if quota is not None), default=None)


def memory_limit(source: Source) -> int | None:
    """Bytes; the tightest of the group and those above it."""
    texts = [*_texts(source, "", "memory.max")]
    texts += _texts(source, "memory", "memory.limit_in_bytes")
    limits = [int(text) for text in texts if text.strip().isdecimal()]
    return min((limit for limit in limits if limit < _NO_LIMIT), default=None)


def _texts(source: Source, controller: str, name: str) -> Iterator[str]:
    """The files of one name from the group up to the root.

    In a container its own group is the root of what it sees, whatever /proc/self/cgroup says.
    """
    folder = f"{_ROOT}/{controller}" if controller else _ROOT
    parts = _group(source, controller).strip("/").split("/")
    for depth in range(len(parts), -1, -1):
        path = "/".join([folder, *parts[:depth]]).rstrip("/")
        text = source.text(f"{path}/{name}")
        if text is not None and (depth == 0 or parts != [""]):
            yield text


def _group(source: Source, controller: str) -> str:
    for line in (source.text("/proc/self/cgroup") or "").splitlines():
        _, _, group = line.partition(":")
        names, _, path = group.partition(":")
        if names == controller or (controller and controller in names.split(",")):
            return path
    return ""


def _quota_of_v2(text: str) -> float | None:
    quota, _, period = text.strip().partition(" ")
    return _ratio(quota, period)


def _ratio(quota: str, period: str) -> float | None:
    try:
        ratio = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return ratio if math.isfinite(ratio) and ratio > 0 else None
