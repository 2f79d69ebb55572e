"""The bundle contract: reader, writer, diff. The format is docs/bundle-format.md."""

from pocketrec_runtime.bundle.contents import BundleContents
from pocketrec_runtime.bundle.diff import BundleDiff, diff_bundles
from pocketrec_runtime.bundle.golden import Golden, GoldenQuery
from pocketrec_runtime.bundle.manifest import FORMAT_VERSION, FileEntry, Manifest
from pocketrec_runtime.bundle.reader import Bundle, read_bundle, verify_files
from pocketrec_runtime.bundle.writer import assemble, write_bundle

__all__ = [
    "FORMAT_VERSION",
    "Bundle",
    "BundleContents",
    "BundleDiff",
    "FileEntry",
    "Golden",
    "GoldenQuery",
    "Manifest",
    "assemble",
    "diff_bundles",
    "read_bundle",
    "verify_files",
    "write_bundle",
]
