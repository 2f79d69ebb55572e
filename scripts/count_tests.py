"""Adds up JUnit reports into one closing line; exit code 1 where a test failed or none ran."""

import sys
import xml.etree.ElementTree as ET  # written by our own pytest a moment ago
from pathlib import Path


def count(path: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of one report."""
    suites = list(ET.parse(path).getroot().iter("testsuite"))  # noqa: S314 - our own file
    total = sum(int(suite.get("tests", 0)) for suite in suites)
    failed = sum(int(suite.get(key, 0)) for suite in suites for key in ("failures", "errors"))
    skipped = sum(int(suite.get("skipped", 0)) for suite in suites)
    return total - failed - skipped, failed, skipped


def main(paths: list[str]) -> int:
    """Print the sum over all reports."""
    counts = [count(Path(path)) for path in paths]
    passed, failed, skipped = (sum(column) for column in zip(*counts, strict=True))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
