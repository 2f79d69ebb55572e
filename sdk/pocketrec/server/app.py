"""The application: routes over a batched model."""

import csv
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from pocketrec import __version__
from pocketrec.server import openapi
from pocketrec.server.answering import described, known_history, recommended, scored
from pocketrec.server.auth import Tokens
from pocketrec.server.batching import BatchAccount, MicroBatcher
from pocketrec.server.failures import JSON, RefusedError, failure
from pocketrec.server.guard import DEADLINE, GUARDED, Guard
from pocketrec.server.metrics import Metrics
from pocketrec.server.model import RankingModel
from pocketrec.server.settings import ServerSettings
from pocketrec.wire import (
    ITEMS_PATH,
    MAX_ANSWER_BYTES,
    RECOMMEND_PATH,
    SCORE_PATH,
    RecommendRequest,
    ScoreRequest,
    WireError,
)
from pocketrec_runtime.limits import MAX_ITEMS

MAX_PAGE = 100
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Service:
    """A model, its batcher and its metrics.

    Attributes:
        stopping: Whether the server takes no more requests.
    """

    def __init__(self, model: RankingModel, settings: ServerSettings) -> None:
        self.model, self.settings = model, settings
        self.stopping = False
        account = BatchAccount()
        self.batcher = MicroBatcher(model, settings, account)
        self.metrics = Metrics(
            model.fingerprint,
            __version__,
            waiting=lambda: self.batcher.waiting,
            computed=lambda: model.computed_positions,
        )
        account.ran = self.metrics.ran

    async def scores(
        self, history: tuple[str, ...], request: Request
    ) -> NDArray[np.float32] | None:
        """Scores of the catalogue; None where nothing of the history is known."""
        known = known_history(self.model.catalogue, history)
        if not known:
            return None
        return await self.batcher.scores(known, getattr(request.state, DEADLINE))


def create_app(
    model: RankingModel, settings: ServerSettings | None = None, tokens: Tokens | None = None
) -> ASGIApp:
    """The server as an ASGI application, with all its guards but those of the connection.

    Args:
        model: What ranks; asked by one thread.
        settings: Limits; None for the defaults.
        tokens: Who may ask; None is everybody.
    """
    settings = settings or ServerSettings()
    service = Service(model, settings)
    tokens = tokens or Tokens()
    app = routed(service)
    if tokens.required:
        _describe_token(app)
    return Guard(app, tokens, settings, service.metrics)


def routed(service: Service) -> FastAPI:
    """The routes, without the guard before them."""

    @asynccontextmanager
    async def alive(_app: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        service.stopping = True
        await service.batcher.stop()

    # The pages that FastAPI would offer load scripts from elsewhere.
    app = FastAPI(
        title="pocketrec", version=__version__, docs_url=None, redoc_url=None, lifespan=alive
    )
    app.include_router(_ranking(service))
    app.include_router(_catalogue(service))
    app.include_router(_state(service))
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(WireError, _malformed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)
    return app


def _ranking(service: Service) -> APIRouter:
    router = APIRouter()
    catalogue, model = service.model.catalogue, service.model.fingerprint

    @router.post(
        RECOMMEND_PATH,
        responses=openapi.responses(openapi.RECOMMENDED),
        openapi_extra=openapi.operation(openapi.RECOMMEND),
    )
    async def recommend(request: Request) -> Response:
        """The best items for a history."""
        asked = RecommendRequest.read(await request.body())
        scores = await service.scores(asked.history, request)
        return _json(recommended(catalogue, model, asked, scores).body())

    @router.post(
        SCORE_PATH,
        responses=openapi.responses(openapi.SCORED),
        openapi_extra=openapi.operation(openapi.SCORE),
    )
    async def score(request: Request) -> Response:
        """Scores of candidates for a history."""
        asked = ScoreRequest.read(await request.body())
        scores = await service.scores(asked.history, request)
        return _json(scored(catalogue, model, asked, scores).body())

    return router


def _catalogue(service: Service) -> APIRouter:
    router, catalogue = APIRouter(), service.model.catalogue

    @router.get(
        ITEMS_PATH,
        responses=openapi.responses(openapi.ITEMS),
        openapi_extra=openapi.operation(),
    )
    async def items(
        request: Request,
        ids: Annotated[str | None, Query(max_length=2_000)] = None,
        offset: Annotated[int, Query(ge=0, le=MAX_ITEMS)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    ) -> Response:
        """Display columns: of `ids` (one CSV record), or of a page of the catalogue."""
        _check_query(request, {"ids", "offset", "limit"})
        if ids is None:
            indices = list(range(offset, min(offset + limit, len(catalogue))))
            following = offset + limit if offset + limit < len(catalogue) else None
        else:
            indices = [i for i in catalogue.indices_of(_record(ids)) if i >= 0]
            following = None
        values = {
            "model": service.model.fingerprint,
            "total": len(catalogue),
            "next": following,
            "items": described(catalogue, indices),
        }
        body = json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
        if len(body) > MAX_ANSWER_BYTES:
            raise RefusedError(422, f"the answer has {len(body)} bytes; ask for fewer items")
        return _json(body)

    return router


def _state(service: Service) -> APIRouter:
    router = APIRouter()

    @router.get(
        "/healthz",
        responses=openapi.responses(openapi.STATE),
        openapi_extra=openapi.operation(guarded=False),
    )
    async def healthz() -> Response:
        """Whether the process answers at all."""
        return _json(b'{"status":"ok"}')

    @router.get(
        "/readyz",
        responses=openapi.responses(openapi.STATE),
        openapi_extra=openapi.operation(guarded=False),
    )
    async def readyz() -> Response:
        """Whether requests should be sent here."""
        if service.stopping:
            raise RefusedError(503, "the server is stopping; ask another one")
        return _json(b'{"status":"ready"}')

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """What Prometheus reads."""
        return Response(service.metrics.page(), media_type=_PROMETHEUS)

    return router


def _check_query(request: Request, names: set[str]) -> None:
    """Returns where each parameter is known and stands once: a misspelt one is no page of all."""
    given = [name for name, _ in request.query_params.multi_items()]
    if len(set(given)) != len(given) or not set(given) <= names:
        raise RefusedError(422, f"give each of {', '.join(sorted(names))} at most once")


def _record(ids: str) -> list[str]:
    """The ids of one CSV record, at most MAX_PAGE."""
    try:
        rows = list(csv.reader([ids], strict=True))
    except csv.Error as error:
        raise RefusedError(422, f"ids is not one CSV record: {error}") from error
    found = [item_id for row in rows for item_id in row]
    if len(found) > MAX_PAGE:
        raise RefusedError(422, f"{len(found)} ids; ask for at most {MAX_PAGE}")
    return found


def _json(body: bytes) -> Response:
    return Response(body, media_type=JSON)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101  (registered for it alone)
    return error.response()


async def _malformed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, WireError)  # noqa: S101  (registered for it alone)
    return failure(error.status, str(error))


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (registered for it alone)
    first: dict[str, Any] = dict(error.errors()[0])
    return failure(422, f"{first['loc'][-1]}: {first['msg']}")


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (registered for it alone)
    return failure(error.status_code, str(error.detail), dict(error.headers or {}))


async def _fault(_request: Request, _error: Exception) -> Response:
    # The guard logs it; what it says stays here.
    return failure(500, "a fault of the server")


def _describe_token(app: FastAPI) -> None:
    """Name the token in the OpenAPI document, which the guard asks for before any route."""
    described_by_routes = app.openapi

    def document() -> dict[str, Any]:
        found = described_by_routes()
        found.setdefault("components", {})["securitySchemes"] = {"token": openapi.TOKEN}
        for path, operations in found["paths"].items():
            for operation in operations.values() if path.startswith(GUARDED) else ():
                operation["security"] = [{"token": []}]
        return found

    app.openapi = document  # type: ignore[method-assign]
