"""The recommender that an app embeds. See docs/sdk.md.

`AsyncRecommender` stands in `asynchronous`: asyncio is loaded by who needs it.
"""

from pocketrec.recommender.history import EventKinds, UserHistory
from pocketrec.recommender.recommender import Recommender
from pocketrec.recommender.user import User

__all__ = ["EventKinds", "Recommender", "User", "UserHistory"]
