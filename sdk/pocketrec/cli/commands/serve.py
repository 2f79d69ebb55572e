"""`pocketrec serve`: the full teacher, or a bundle, behind HTTP."""

import functools
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pocketrec.cli.extras import require_extra
from pocketrec.cli.options import delta_option
from pocketrec.cli.output import say
from pocketrec.cli.threads import let_threads_sleep
from pocketrec.opening import open_engine
from pocketrec_runtime.bundle import strict_json
from pocketrec_runtime.bundle.reader import sealed_manifest
from pocketrec_runtime.bundle.source import DirectorySource
from pocketrec_runtime.errors import InputError

if TYPE_CHECKING:
    from pocketrec.server import RankingModel, Tokens
    from pocketrec.server.ray_serve import Scaling


@click.command("serve", short_help="Serve a teacher or a bundle over HTTP.")
@click.argument("model", metavar="MODEL", type=click.Path(path_type=Path))
@delta_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes any."
)
@click.option("--token-env", metavar="NAME", help="Environment variable that holds the tokens.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File that holds them, one a line.",
)
@click.option("--no-token", is_flag=True, help="Answer everybody, also from other machines.")
@click.option(
    "--max-batch",
    type=click.IntRange(1, 64),
    default=32,
    show_default=True,
    help="Histories of one run of the model, at most.",
)
@click.option(
    "--max-wait-ms",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    help="How long an idle model waits for a batch to fill.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Requests that wait, at most; one more is answered 429.",
)
@click.option(
    "--deadline-ms",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="Longest time from a request to its answer.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of one run of the model.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16"]),
    default="auto",
    show_default=True,
    help="Numbers of a teacher's models.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="Where a teacher's models are: auto, cpu, cuda or cuda:N.",
)
@click.option(
    "--histories",
    type=click.IntRange(min=64),
    default=512,
    show_default=True,
    help="Histories whose keys and values a teacher keeps.",
)
@click.option(
    "--window",
    type=click.Choice(["newest", "anchored"]),
    default="newest",
    show_default=True,
    help="What a teacher reads of a history longer than its window; see docs/server.md.",
)
@click.option(
    "--refine/--no-refine",
    default=True,
    show_default=True,
    help="Ask the candidate teachers of a teacher folder, or answer with the blend alone.",
)
@click.option("--ray", "on_ray", is_flag=True, help="Serve from replicas on a Ray cluster.")
@click.option(
    "--replicas",
    metavar="LEAST,MOST",
    default="1,4",
    show_default=True,
    help="With --ray: replicas, and as many as load may make.",
)
def command(
    *,
    model: Path,
    deltas: tuple[Path, ...],
    host: str,
    port: int,
    token_env: str | None,
    token_file: Path | None,
    no_token: bool,
    max_batch: int,
    max_wait_ms: float,
    max_queue: int,
    deadline_ms: int,
    threads: int | None,
    precision: Any,
    device: str,
    histories: int,
    window: Any,
    refine: bool,
    on_ray: bool,
    replicas: str,
) -> None:
    """Answer /v1/recommend, /v1/score and /v1/items from MODEL until it is told to stop.

    MODEL is a folder that pocketrec distill --teacher-out wrote, which needs the extra distill, or
    a bundle. /healthz, /readyz, /metrics and /openapi.json need no token. Without a token only this
    machine is served, unless --no-token says otherwise. SIGTERM finishes what is in flight.

    --ray needs the extra ray. It joins the cluster of RAY_ADDRESS, or starts one on this machine.
    """
    require_extra("server")
    let_threads_sleep()
    from pocketrec.server import ServerSettings, serve

    settings = ServerSettings(max_batch, max_wait_ms, max_queue, deadline_ms)
    tokens = _tokens(token_env, token_file, host, no_token=no_token)
    teacher = {
        "precision": precision,
        "device": device,
        "histories": histories,
        "window": window,
        "refine": refine,
    }
    open_model = functools.partial(_opened, model, deltas, threads or 0, teacher)
    if on_ray:
        require_extra("ray")
        from pocketrec.server.ray_serve import serve_on_ray

        serve_on_ray(
            open_model,
            host=host,
            port=port,
            settings=settings,
            tokens=tokens,
            scaling=_scaling(replicas, threads),
            listening=lambda url: say(f"Serving {model.name} on Ray at {url}"),
        )
        return
    opened = open_model()
    serve(
        opened,
        host=host,
        port=port,
        settings=settings,
        tokens=tokens,
        listening=lambda url: say(f"Serving {opened.fingerprint[:16]} at {url}"),
    )


def _scaling(replicas: str, threads: int | None) -> "Scaling":
    from pocketrec.server.ray_serve import Scaling

    parts = replicas.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--replicas {replicas!r} is not LEAST,MOST")
    return Scaling(int(parts[0]), int(parts[1]), cpus=float(threads or 1))


def _tokens(name: str | None, file: Path | None, host: str, *, no_token: bool) -> "Tokens":
    from pocketrec.server import Tokens

    if (name is not None) + (file is not None) + no_token > 1:
        raise InputError("give one of --token-env, --token-file and --no-token")
    if name is not None:
        return Tokens.from_environment(name)
    if file is not None:
        return Tokens.from_file(file)
    if not (no_token or _is_loopback(host)):
        raise InputError(
            f"--host {host} lets other machines ask; give --token-env or --token-file, or say "
            "--no-token"
        )
    return Tokens()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _opened(
    path: Path, deltas: tuple[Path, ...], threads: int, teacher: Mapping[str, Any]
) -> "RankingModel":
    """What is served; `teacher` says how a teacher is run, where it is one."""
    from pocketrec.server import BundleModel

    if not _is_teacher(path):
        return BundleModel(open_engine(path, deltas, threads=threads or 1))
    if deltas:
        raise InputError(f"--delta is laid over a bundle, and {path} is a teacher; leave it out")
    require_extra("distill")
    from pocketrec_distill.serving import ServingSettings, open_teacher

    return open_teacher(path, ServingSettings(threads=threads, **teacher))


def _is_teacher(path: Path) -> bool:
    """Whether a folder's manifest names the teacher format; a bundle's reader judges the rest."""
    if not path.is_dir():
        return False
    values = strict_json.parse(sealed_manifest(DirectorySource(path)), "manifest.json")
    return isinstance(values, dict) and values.get("format") == "pocketrec-teacher"
