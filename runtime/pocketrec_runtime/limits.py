"""Upper bounds of bundle format 1.x: what a reader accepts before it allocates anything."""

MAX_ITEMS = 10_000_000
MAX_WIDTH = 4096
MAX_BLOCKS = 128
MAX_HEADS = 1024
MAX_WINDOW = 65_536
MAX_TOKENS = 8192

MAX_FILES = 64
MAX_NAME_CHARS = 64
MAX_FILE_BYTES = 2 * 1024**3
MAX_MANIFEST_BYTES = 4 * 1024**2
# Below the point where a zip needs 64-bit records, which the format does not use.
MAX_ARCHIVE_BYTES = 4 * 1024**3 - 1
