"""WordPiece by hand; equality with Hugging Face's tokenizer is tested where that is installed."""

import pytest

from pocketrec_runtime.errors import BundleFormatError
from pocketrec_runtime.wordpiece import MAX_WORD_CHARS, WordPiece, words

TOKENS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "aff", "a", "##b", "!", "cafe",
    "東", "##京", "[", "]", "sep",
]  # fmt: skip
PAD, UNK, CLS, SEP, UN, AFF2, ABLE2, AFF, A, B2, BANG, CAFE, EAST, _, LEFT, RIGHT, SEP_WORD = range(
    len(TOKENS)
)


@pytest.fixture
def vocabulary() -> WordPiece:
    return WordPiece("\n".join(TOKENS).encode() + b"\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unaffable", [UN, AFF2, ABLE2]),
        # The longest match first, never back: "ab" is "a" and "##b", "aff" is one.
        ("ab aff", [A, B2, AFF]),
        # One piece that is unknown makes the whole word unknown.
        ("unaffx aff", [UNK, AFF]),
        ("Café!", [CAFE, BANG]),
        ("CAFE\u0301 !!", [CAFE, BANG, BANG]),
        # Each CJK character is a word of its own; only one of them is known as such.
        ("東京", [EAST, UNK]),
        ("a\u0000\u200b\ufffda", [UNK]),
        ("a\u00a0\u3000\ta", [A, A]),
        # What looks like a mark is text.
        ("[SEP]", [LEFT, SEP_WORD, RIGHT]),
        ("", []),
    ],
)
def test_tokens_by_hand(vocabulary: WordPiece, text: str, expected: list[int]) -> None:
    assert vocabulary.encode(text, 64) == [CLS, *expected, SEP]


def test_a_long_word_is_unknown(vocabulary: WordPiece) -> None:
    fits, too_long = "a" + "b" * (MAX_WORD_CHARS - 1), "a" + "b" * MAX_WORD_CHARS
    assert vocabulary.encode(fits, 256) == [CLS, A, *[B2] * (MAX_WORD_CHARS - 1), SEP]
    assert vocabulary.encode(too_long, 256) == [CLS, UNK, SEP]


@pytest.mark.parametrize(("most", "kept"), [(2, 0), (3, 1), (5, 3), (6, 4), (99, 4)])
def test_marks_count_and_stay(vocabulary: WordPiece, most: int, kept: int) -> None:
    assert vocabulary.encode("unaffable !", most) == [CLS, *[UN, AFF2, ABLE2, BANG][:kept], SEP]


def test_words_by_hand() -> None:
    assert words("Don't  STOP—İx\r\nß") == ["don", "'", "t", "stop", "—", "ix", "ß"]
    assert words("$5_000^2") == ["$", "5", "_", "000", "^", "2"]


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (b"\xff\xfe", "UTF-8"),
        (b"[PAD]\n[UNK]\n[CLS]\n", r"lacks \[SEP\]"),
        (b"[UNK]\n[PAD]\n[CLS]\n[SEP]\n", r"\[PAD\] is not 0"),
        (b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\na\n", "a token twice"),
        (
            b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n" + b"x" * 16_777_216,
            "bytes; a WordPiece vocabulary has at most",
        ),
    ],
)
def test_a_bad_vocabulary_is_refused(vocabulary: bytes, message: str) -> None:
    with pytest.raises(BundleFormatError, match=message):
        WordPiece(vocabulary)
