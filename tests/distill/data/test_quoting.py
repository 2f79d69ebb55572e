"""Quotes within quotes: doubled, escaped by a backslash, or beside a backslash that is none."""

import gzip
import io
from pathlib import Path

import pytest

from pocketrec_distill.data import read_table
from pocketrec_distill.data.quoting import QuoteWatch
from pocketrec_distill.errors import DataError


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize(
    ("body", "titles"),
    [
        # A backslash escapes: Book-Crossing's and MySQL's.
        (r'"1";"Best of \"Bar\""', ['Best of "Bar"']),
        (r'"1";"the \"A\" & \"B\""', ['the "A" & "B"']),
        (r'"1";"\""', ['"']),
        (r'"1";"a \"b\"; c"' + "\n\n" + r'"2";"C:\\"', ['a "b"; c', "C:\\"]),
        (r'"1";"say ""x"" \"y\" \d"', ['say "x" "y" \\d']),
        ('"1";"a \\"b\\"\nnext"', ['a "b"\nnext']),
        (r'1;"a \"b\""' + "\n" + r"2;\N" + "\n3;", ['a "b"', "\\N", ""]),
        # It is a character as any other.
        (r'"1";"C:\"' + "\n" + r'"2";"D:\"', ["C:\\", "D:\\"]),
        (r'"1";"12\""', None),
        (r'"1";plain \"inner\" quotes', ['plain \\"inner\\" quotes']),
        (r'"C:\";"x"' + "\n" + r'2;"say ""y"""', ["x", 'say "y"']),
    ],
)
def test_a_backslash_before_a_quote(
    tmp_path: Path, body: str, titles: list[str] | None, zipped: bool
) -> None:
    path = tmp_path / ("a.csv.gz" if zipped else "a.csv")
    content = f'"item";"title"\r\n{body}\n'.encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    assert read_table(path)["title"].to_pylist() == (['12"'] if titles is None else titles)


def test_a_backslash_in_other_encodings(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for encoding in ("latin-1", "utf-16"):
        path.write_bytes('"item","title"\n1,"the \\"é\\""\n'.encode(encoding))
        assert read_table(path, encoding)["title"].to_pylist() == ['the "é"']


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (r'"1","a \"b\" c"' + "\n" + r'"2","C:\"' + "\n" + '"3","x"', 3),
        (r'"1","a \"b c' + "\n2,x", 2),
        (r'"1","a \"b\"",x', 2),
    ],
)
def test_quotes_that_nobody_can_tell_apart(tmp_path: Path, body: str, line: int) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"item","title"\n' + body + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"a.csv, line {line}: quotes cannot be told"):
        read_table(path)


def test_one_column_of_escaped_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\n"title"\n\n"the \\"A\\""\n\n""\n', encoding="utf-8")
    assert read_table(path)["title"].to_pylist() == ['the "A"', ""]


def test_a_sign_between_two_blocks_is_seen() -> None:
    watch = QuoteWatch(io.BytesIO(b'abc\\"d'))
    assert b"".join(iter(lambda: watch.read(4), b"")) == b'abc\\"d'
    assert watch.seen
    watch = QuoteWatch(io.BytesIO(b'ab"c\\d'))
    watch.read()
    assert not watch.seen
