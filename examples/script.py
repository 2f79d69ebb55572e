"""A plain script: tells the recommender what was taken, prints what to take next.

python examples/script.py my.bundle --store events 50 181
"""

import argparse
from pathlib import Path

from pocketrec import Recommender


def main() -> None:
    """Record the items of the command line and print five recommendations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("items", nargs="*", help="ids of items that the user took")
    parser.add_argument("--store", type=Path, required=True, help="folder of what users did")
    parser.add_argument("--user", default="me")
    given = parser.parse_intermixed_args()
    with Recommender.open(given.bundle, store=given.store) as recommender:
        user = recommender.user(given.user)
        for item in given.items:
            user.record(item)
        answer = user.recommend(k=5)
        for item in answer.items:
            print(f"{item.item_id}\t{item.probability:.3f}\t{item.title or ''}")
        print(f"{answer.source}: {answer.reason}")


if __name__ == "__main__":
    main()
