"""Windows: what Python's `platform` and the environment say. Tested on recorded texts only."""

from collections.abc import Mapping

from pocketrec_bench.device.card import DeviceCard
from pocketrec_bench.device.words import version_number, words


def windows_card(
    environment: Mapping[str, str],
    *,
    processor: str,
    architecture: str,
    version: str,
    cores: int | None,
) -> DeviceCard:
    """The card of a Windows machine, without versions and providers.

    Args:
        environment: Of the process; only `PROCESSOR_IDENTIFIER` is read.
        processor: As `platform.processor()` says it.
        architecture: As `platform.machine()` says it, "AMD64" or "ARM64".
        version: As `platform.version()` says it, "10.0.22631".
        cores: Logical processors.
    """
    name = processor or environment.get("PROCESSOR_IDENTIFIER", "")
    return DeviceCard(
        cpu=words(name),
        architecture={"AMD64": "x86_64", "ARM64": "arm64"}.get(architecture, architecture),
        cores_present=cores,
        cores_usable=cores,
        system=f"Windows {version_number(version)}",
        kernel=version_number(version),
    )
