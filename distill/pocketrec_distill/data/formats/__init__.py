"""Data sets as they are published: one loader per format, and the folder's format by its files."""

from pocketrec_distill.data.formats.amazon import amazon
from pocketrec_distill.data.formats.dkn import dkn
from pocketrec_distill.data.formats.lastfm import hetrec_lastfm, hetrec_lastfm_tags
from pocketrec_distill.data.formats.mind import mind
from pocketrec_distill.data.formats.movielens import movielens_100k, movielens_csv, movielens_dat
from pocketrec_distill.data.formats.plain import plain_tables, recbole
from pocketrec_distill.data.formats.published import Published
from pocketrec_distill.data.formats.registry import (
    FORMATS,
    NAMED_ONLY,
    Format,
    detect_format,
    load_published,
)
from pocketrec_distill.data.formats.retail import online_retail

__all__ = [
    "FORMATS",
    "NAMED_ONLY",
    "Format",
    "Published",
    "amazon",
    "detect_format",
    "dkn",
    "hetrec_lastfm",
    "hetrec_lastfm_tags",
    "load_published",
    "mind",
    "movielens_100k",
    "movielens_csv",
    "movielens_dat",
    "online_retail",
    "plain_tables",
    "recbole",
]
