"""WordPiece tokens of uncased BERT encoders, without transformers (Devlin et al., 2019).

The same ids as Hugging Face's fast tokenizer of such a model, but for special tokens that are
written out in a text: those are text here, since a catalogue must not be able to end a sentence.
Classes of characters are those of Python's Unicode tables, which may know newer ones than theirs.
"""

import unicodedata

from pocketrec_runtime.errors import BundleFormatError

MAX_VOCABULARY_BYTES = 16_777_216
MAX_VOCABULARY = 1_000_000
MAX_WORD_CHARS = 100
"""A longer word is unknown as a whole, as in BERT; it bounds the time of a search."""

PADDING, UNKNOWN, START, END = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
_CONTINUED = "##"
# Scripts that are written without spaces: each character is a word.
_CJK = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip


class WordPiece:
    """Text to token ids by a vocabulary. Safe to share among threads.

    Args:
        vocabulary: One token a line, UTF-8; the line number is the id. Line 0 is [PAD].

    Raises:
        BundleFormatError: Too large, not UTF-8, a token twice, or a special token missing.
    """

    def __init__(self, vocabulary: bytes) -> None:
        self._ids = _parsed(vocabulary)
        self._unknown, self._start, self._end = (
            self._ids[token] for token in (UNKNOWN, START, END)
        )

    def __len__(self) -> int:
        return len(self._ids)

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """At most `max_tokens` ids, start and end marks among them; at least these two."""
        room = max(0, max_tokens - 2)
        found: list[int] = []
        for word in words(text):
            if len(found) >= room:
                break
            found += self._pieces(word)
        return [self._start, *found[:room], self._end]

    def _pieces(self, word: str) -> list[int]:
        """The longest token that begins the word, then the longest that goes on, and so forth."""
        if len(word) > MAX_WORD_CHARS:
            return [self._unknown]
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = _CONTINUED if start else ""
            end = next(
                (e for e in range(len(word), start, -1) if prefix + word[start:e] in self._ids),
                start,
            )
            if end == start:
                return [self._unknown]
            found.append(self._ids[prefix + word[start:end]])
            start = end
        return found


def words(text: str) -> list[str]:
    """Lower-case words without accents; each punctuation mark and CJK character is one."""
    cleaned = "".join(_cleaned(char) for char in text)
    plain = "".join(
        char for char in unicodedata.normalize("NFD", cleaned) if unicodedata.category(char) != "Mn"
    )
    spaced = "".join(
        f" {char} " if _is_punctuation(char) else char for char in map(str.lower, plain)
    )
    return spaced.split()


def _cleaned(char: str) -> str:
    """Nothing for a control character, a space for white space, spaces around CJK."""
    if char in "\t\n\r" or unicodedata.category(char) == "Zs":
        return " "
    code = ord(char)
    if code in (0, 0xFFFD) or unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    if any(first <= code <= last for first, last in _CJK):
        return f" {char} "
    return char


def _is_punctuation(text: str) -> bool:
    """Any ASCII character that is no letter, digit or space counts; else Unicode's P classes."""
    if len(text) != 1:
        return False  # a lower-case form of several letters
    code = ord(text)
    if 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126:
        return True
    return unicodedata.category(text).startswith("P")


def _parsed(vocabulary: bytes) -> dict[str, int]:
    if len(vocabulary) > MAX_VOCABULARY_BYTES:
        raise BundleFormatError(
            f"tokenizer.model has {len(vocabulary)} bytes; a WordPiece vocabulary has at most "
            f"{MAX_VOCABULARY_BYTES}"
        )
    try:
        lines = vocabulary.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise BundleFormatError("tokenizer.model is no WordPiece vocabulary in UTF-8") from error
    if len(lines) > MAX_VOCABULARY:
        raise BundleFormatError(
            f"tokenizer.model has {len(lines)} tokens; the limit is {MAX_VOCABULARY}"
        )
    ids = {token: number for number, token in enumerate(lines)}
    if len(ids) != len(lines):
        raise BundleFormatError("tokenizer.model holds a token twice")
    missing = [token for token in (PADDING, UNKNOWN, START, END) if token not in ids]
    if missing or ids[PADDING] != 0:
        raise BundleFormatError(
            f"tokenizer.model lacks {missing[0]}" if missing else "tokenizer.model: [PAD] is not 0"
        )
    return ids
