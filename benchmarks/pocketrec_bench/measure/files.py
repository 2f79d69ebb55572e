"""Bytes on the disk."""

from pathlib import Path


def disk_bytes(path: Path) -> int:
    """Bytes of a bundle's files, or of its zip."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
