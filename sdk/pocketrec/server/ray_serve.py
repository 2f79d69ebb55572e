"""The same application as a Ray Serve deployment, for where one machine is too small.

Needs the extra `ray`. Ray's own proxy takes the connections, so that the limits on heads and
connections are its, not those of `protocol`; tokens, bodies, deadlines and queues are as ever.
"""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp

from pocketrec.server.app import create_app
from pocketrec.server.auth import Tokens
from pocketrec.server.logs import log_to
from pocketrec.server.model import RankingModel
from pocketrec.server.settings import ServerSettings
from pocketrec_runtime.errors import InputError

APPLICATION = "pocketrec"


@dataclass(frozen=True)
class Scaling:
    """How many processes answer, and when there are more.

    Attributes:
        least: Replicas that always run.
        most: Replicas at the highest load.
        cpus: Processor cores that Ray sets aside for each.
        ongoing: Requests at once in a replica beyond which another is started.
    """

    least: int = 1
    most: int = 4
    cpus: float = 1.0
    ongoing: int = 32

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.most:
            raise InputError(f"{self.least} to {self.most} replicas; give 1 or more, least first")
        if not self.cpus > 0 or self.ongoing < 1:
            raise InputError(f"cpus {self.cpus} and ongoing {self.ongoing} must be above 0")


def serve_on_ray(
    open_model: Callable[[], RankingModel],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    settings: ServerSettings | None = None,
    tokens: Tokens | None = None,
    scaling: Scaling | None = None,
    listening: Callable[[str], None] | None = None,
) -> None:
    """Answer requests from replicas until SIGTERM or SIGINT; then take the deployment down.

    Joins the cluster that `RAY_ADDRESS` names, or starts a local one that ends with this call.

    Args:
        open_model: Opens the model in each replica; sent to it, as are the settings.
        host: Address of Ray's HTTP proxy.
        port: Its port.
        settings: Limits; None for the defaults.
        tokens: Who may ask; None is everybody.
        scaling: How many replicas; None for the defaults.
        listening: Called with the URL once every first replica answers.
    """
    import ray
    from ray import serve as ray_serve

    given, allowed, scaling = settings or ServerSettings(), tokens, scaling or Scaling()

    def build() -> ASGIApp:
        log_to()
        return create_app(open_model(), given, allowed)

    # A local cluster sees to this process alone, and needs no page about it.
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        ray_serve.start(http_options={"host": host, "port": port})
        deployment = ray_serve.deployment(ray_serve.ingress(build)()).options(
            name=APPLICATION,
            ray_actor_options={"num_cpus": scaling.cpus},
            max_ongoing_requests=given.max_queue + given.max_batch,
            graceful_shutdown_timeout_s=given.shutdown_timeout_ms / 1000,
            autoscaling_config={
                "min_replicas": scaling.least,
                "max_replicas": scaling.most,
                "target_ongoing_requests": scaling.ongoing,
            },
        )
        ray_serve.run(deployment.bind(), name=APPLICATION, route_prefix="/")
        if listening is not None:
            listening(f"http://{host}:{port}")
        stop.wait()
    finally:
        ray_serve.shutdown()
        ray.shutdown()
