"""`pocketrec shell`: piped, and at a terminal."""

import os
import pty
import subprocess
import sys

from pocketrec.events import EventStore


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_lines_from_a_pipe(cli, tiny_bundle) -> None:
    lines = "record 漢字\nrecord 50\n\nrecommend 2\nscore x,y 181\nexplain 181\nquit\nrecord 181\n"
    outcome = cli("shell", tiny_bundle, stdin=lines.encode())
    assert (outcome.code, "> " in outcome.out) == (0, False)
    shown = rows(outcome.out)
    assert [row[1] for row in shown[1:3]] == ["181", "عنصر"]
    assert [row[1] for row in shown[4:6]] == ["x,y", "181"]
    assert shown[6][0] == "181"
    assert shown[8][:2] == ["50", "Star"]
    assert outcome.err.count("recorded click") == 2
    assert "source: device" in outcome.err


def test_filters_users_history_and_find(cli, tiny_bundle) -> None:
    lines = (
        "user 'Ada L'\nrecord 50\nrecord 181 dislike\nrecommend 5 genre=Drama\nhistory\n"
        "user Bob\nhistory\nfind STAR\nuser 'Ada L'\nerase\nhistory\n"
    )
    outcome = cli("shell", tiny_bundle, stdin=lines.encode())
    assert outcome.code == 0
    shown = rows(outcome.out)
    assert [row[1] for row in shown[:2]] == ["item", "漢字"]
    assert shown[2:] == [
        ["item", "title"],
        ["50", "Star", "Wars"],
        ["item", "title"],
        ["item", "title"],
        ["50", "Star", "Wars"],
        ["item", "title"],
    ]
    assert "disliked: 181" in outcome.err
    assert "2 events erased" in outcome.err


def test_a_line_that_is_refused_is_passed_over(cli, tiny_bundle) -> None:
    lines = "dance\nrecord\nrecommend many\nrecommend 0\nrecord 'a\nexplain ghost\nrecord 50\n"
    outcome = cli("shell", tiny_bundle, stdin=lines.encode())
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.count("Error: ") == 6
    for message in ("no command 'dance'", "give: record ID [EVENT]", "'many' is no number"):
        assert message in outcome.err
    assert "recorded click" in outcome.err


def test_events_stay_where_a_store_is_given(cli, tiny_bundle, tmp_path) -> None:
    assert cli("shell", tiny_bundle, "--store", tmp_path, stdin=b"record ghost\n").code == 0
    outcome = cli("shell", tiny_bundle, "--store", tmp_path, stdin=b"history\nhelp\n")
    assert rows(outcome.out)[1] == ["ghost"]
    assert "recommend [K] [COLUMN=VALUE ...]" in outcome.out
    with EventStore(tmp_path) as store:
        assert [event.user for event in store.events()] == ["you"]


def test_at_a_terminal_there_is_a_prompt(tiny_bundle) -> None:
    terminal, side = pty.openpty()
    command = [sys.executable, "-m", "pocketrec", "shell", str(tiny_bundle)]
    with subprocess.Popen(command, stdin=side, stdout=side, stderr=side) as process:
        os.close(side)
        shown = b""
        for line in (b"record 50\n", b"quit\n"):
            while not shown.endswith(b"you> "):
                shown += os.read(terminal, 4096)
            os.write(terminal, line)
            shown += b"\n"
        assert process.wait(timeout=60) == 0
    os.close(terminal)
    assert b"5 items; `help` lists the commands" in shown
    assert b"recorded click" in shown
