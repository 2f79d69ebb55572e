"""A server for what a device cannot hold: the full teacher, or a bundle, behind HTTP.

Needs the extra `server`; `pocketrec serve` is the command line to it.
"""

from pocketrec.server.app import create_app
from pocketrec.server.auth import Tokens
from pocketrec.server.model import BundleModel, RankingModel
from pocketrec.server.run import serve
from pocketrec.server.settings import ServerSettings

__all__ = ["BundleModel", "RankingModel", "ServerSettings", "Tokens", "create_app", "serve"]
