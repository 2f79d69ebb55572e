"""The command line `pocketrec`: data to stdout, talk to stderr, one documented exit code each."""

from pocketrec.cli.app import app, main

__all__ = ["app", "main"]
