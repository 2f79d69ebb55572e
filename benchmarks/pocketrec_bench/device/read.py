"""The card of the machine that this process runs on."""

import os
import platform
from dataclasses import replace

from pocketrec_bench.device.card import DeviceCard
from pocketrec_bench.device.linux import linux_card
from pocketrec_bench.device.macos import macos_card
from pocketrec_bench.device.source import Source, ThisMachine
from pocketrec_bench.device.versions import providers, versions
from pocketrec_bench.device.windows import windows_card


def read_device(source: Source | None = None) -> DeviceCard:
    """The device card of this machine.

    Args:
        source: Its files and commands; None for the real ones.
    """
    source = ThisMachine() if source is None else source
    return replace(_hardware(source), versions=versions(), providers=providers())


def _hardware(source: Source) -> DeviceCard:
    architecture, kernel = platform.machine(), platform.release()
    system = platform.system()
    if system == "Linux":
        return linux_card(
            source,
            architecture=architecture,
            kernel=kernel,
            usable=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        )
    if system == "Darwin":
        return macos_card(source, architecture=architecture, kernel=kernel)
    if system == "Windows":
        return windows_card(
            os.environ,
            processor=platform.processor(),
            architecture=architecture,
            version=platform.version(),
            cores=os.cpu_count(),
        )
    return DeviceCard(
        cpu=platform.processor() or "unknown", architecture=architecture, system=system
    )
