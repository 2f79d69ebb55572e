"""Parts a table of interactions by user, so that a bundle can be replayed on users it never saw.

    python benchmarks/adaptation/split_users.py --interactions ml-100k.inter --out build/split

Writes `train/NAME` and `held/NAME`: lines as they were, the header in both. A user, in column one,
is held out where its id hashes to 70 to 99 of 100.
"""

import argparse
import gzip
import hashlib
from pathlib import Path

HELD_FROM = 70


def is_held(user: str) -> bool:
    """Whether a user is kept from training."""
    return int(hashlib.sha256(user.encode()).hexdigest()[:8], 16) % 100 >= HELD_FROM


def split(lines: list[str], separator: str) -> tuple[list[str], list[str]]:
    """Lines for training and lines held out, each with the header."""
    header, *rest = lines
    held = [is_held(line.split(separator, 1)[0]) for line in rest]
    return (
        [header, *(line for line, out in zip(rest, held, strict=True) if not out)],
        [header, *(line for line, out in zip(rest, held, strict=True) if out)],
    )


def main() -> None:
    """Read the table, write both parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    data = given.interactions.read_bytes()
    text = (gzip.decompress(data) if given.interactions.suffix == ".gz" else data).decode()
    lines = text.splitlines()
    name = given.interactions.name.removesuffix(".gz")
    for part, kept in zip(("train", "held"), split(lines, "\t" if "\t" in lines[0] else ","),
                          strict=True):  # fmt: skip
        folder = given.out / part
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
