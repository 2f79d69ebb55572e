"""Every outcome ends with its documented exit code, and with one line that says what to do."""

import errno
import os
import subprocess
import sys

import click
import pytest

from pocketrec.cli import app, main
from pocketrec.cli.exits import ExitCode, StdoutClosedError, exit_code
from pocketrec_runtime.errors import (
    BundleError,
    BundleIntegrityError,
    InputError,
    MissingExtraError,
    SelfTestError,
    StateError,
)


def chained(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("x"), 2),
        (StateError("x"), 2),
        (click.UsageError("x"), 2),
        (BundleIntegrityError("x"), 3),
        (SelfTestError("x"), 3),
        (chained(BundleIntegrityError("x"), OSError()), 3),
        (chained(BundleError("x"), OSError(errno.ENOSPC, "full")), 6),
        (MissingExtraError("torch", "distill"), 4),
        (PermissionError(errno.EACCES, "no"), 6),
        (OSError(errno.ENOSPC, "full"), 6),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (StdoutClosedError(), 141),
        (BrokenPipeError(), 141),
        (ValueError("x"), 1),
        (MemoryError(), 1),
        (ImportError("x"), 1),
    ],
)
def test_exit_code_of_an_error(error, code) -> None:
    assert exit_code(error) == code


def test_data_errors_end_with_5() -> None:
    errors = pytest.importorskip("pocketrec_distill.errors")
    for kind in (errors.DataError, errors.SourceError, errors.ConfigError):
        assert exit_code(kind("x")) == ExitCode.DATA


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Makes `pocketrec doctor` raise."""

    def make(error: BaseException) -> None:
        def fail() -> None:
            raise error

        monkeypatch.setattr(app, "get_command", lambda *_: click.Command("doctor", callback=fail))

    return make


def test_an_unexpected_error_is_short_and_points_to_debug(cli, failing) -> None:
    failing(RuntimeError("odd\x1b[2J thing"))
    outcome = cli("doctor")
    assert outcome.code == 1
    assert outcome.err.splitlines() == [
        r"Error: unexpected RuntimeError: odd\x1b[2J thing",
        "This may be a fault in pocketrec; rerun with --debug for the traceback.",
    ]


@pytest.mark.parametrize("arguments", [("--debug", "verify"), ("verify", "--debug")])
def test_debug_shows_the_traceback_on_either_side(cli, tmp_path, arguments) -> None:
    outcome = cli(*arguments, tmp_path / "nowhere")
    assert outcome.code == 3
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("Error: ")


def test_without_debug_there_is_no_traceback(cli, tmp_path) -> None:
    assert "Traceback" not in cli("verify", tmp_path / "nowhere").err


def test_an_interrupt_is_130(cli, failing) -> None:
    failing(KeyboardInterrupt())
    assert cli("doctor").code == 130


def test_a_lone_surrogate_is_refused(cli, tiny_bundle) -> None:
    outcome = cli("recommend", tiny_bundle, "--history", "50,\udcff")
    assert outcome.code == 2
    assert "argument 4" in outcome.err
    assert r"\udcff" in outcome.err


@pytest.mark.parametrize("arguments", [["recomend"], ["recommend"], ["recommend", "--nope", "x"]])
def test_usage_errors_are_2(cli, arguments) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith("Usage: pocketrec")


def test_version(cli) -> None:
    from pocketrec import __version__

    assert cli("--version").out == f"pocketrec, version {__version__}\n"


def run(arguments, **kwargs) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "pocketrec", *arguments],
        capture_output=True,
        timeout=60,
        check=False,
        **kwargs,
    )


def test_bytes_of_the_shell_that_are_no_text(tiny_bundle) -> None:
    done = run([b"recommend", os.fsencode(tiny_bundle), b"--history", b"50,\xff"])
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_quiet(tiny_bundle) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "pocketrec", "inspect", str(tiny_bundle), "--json"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux")  # noqa: PTH110
def test_a_full_disk_under_stdout_is_6(tiny_bundle) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "pocketrec", "inspect", str(tiny_bundle)],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 6
    assert b"No space left" in done.stderr


def test_any_script_prints_under_any_locale(tiny_bundle) -> None:
    arguments = ["recommend", str(tiny_bundle), "--history", "50"]
    latin = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    text, document = run(arguments, env=latin), run([*arguments, "--json"], env=latin)
    assert text.returncode == document.returncode == 0
    assert rb"\u6f22\u5b57" in text.stdout
    assert "漢字".encode() in document.stdout


def test_main_gives_the_exit_code_back(capsys) -> None:
    assert main(["--help"]) == 0
    assert "recommend" in capsys.readouterr().out


IMPORTS = """
import sys
from pocketrec.cli import main
main(sys.argv[1:])
heavy = {"torch", "transformers", "pyarrow", "pandas", "pocketrec_distill", "matplotlib", "scipy"}
print(sorted(heavy & set(sys.modules)), "onnxruntime" in sys.modules)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["recommend", "BUNDLE", "--history", "50"]])
def test_light_commands_import_nothing_heavy(tiny_bundle, arguments) -> None:
    given = [str(tiny_bundle) if argument == "BUNDLE" else argument for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, *given],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"[] {'recommend' in arguments}"
