"""A web shop: each visitor gets recommendations from their own clicks, and can take or erase them.

pip install "pocketrec[server]"
python examples/site.py my.bundle --store events --port 8000

A visitor is a random name in a cookie; no account, no other tracking.
"""

import argparse
import html
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import uvicorn
from fastapi import Cookie, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from pocketrec import AsyncRecommender, RankedItem, Recommendation

Visitor = Annotated[str | None, Cookie()]


def make_app(bundle: Path, store: Path) -> FastAPI:
    """The site. The recommender is opened once, when the server starts."""

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[None]:
        async with await AsyncRecommender.open(bundle, store=store) as recommender:
            app.state.recommender = recommender
            yield

    app = FastAPI(lifespan=opened)

    @app.get("/")
    async def front(visitor: Visitor = None) -> HTMLResponse:
        name = visitor or secrets.token_urlsafe(16)
        answer = await app.state.recommender.user(name).recommend(k=10)
        page = HTMLResponse(page_of(answer))
        page.set_cookie("visitor", name, httponly=True, samesite="lax", max_age=90 * 86400)
        return page

    @app.post("/events")
    async def record(
        item: str, event: Literal["click", "dislike"], visitor: Visitor = None
    ) -> RedirectResponse:
        if visitor is not None:
            await app.state.recommender.user(visitor).record(item, event)
        return RedirectResponse("/", status_code=303)

    @app.get("/my-data")
    async def my_data(visitor: Visitor = None) -> dict[str, Any]:
        if visitor is None:
            return {}
        exported: dict[str, Any] = await app.state.recommender.user(visitor).export()
        return exported

    @app.post("/forget-me")
    async def forget_me(visitor: Visitor = None) -> RedirectResponse:
        if visitor is not None:
            await app.state.recommender.user(visitor).erase()
        page = RedirectResponse("/", status_code=303)
        page.delete_cookie("visitor")
        return page

    return app


def page_of(answer: Recommendation) -> str:
    """The front page. Everything that came from a catalogue is escaped."""
    rows = "".join(map(_row, answer.items))
    return f"""<!doctype html><meta charset="utf-8"><title>For you</title>
<h1>For you</h1><table>{rows}</table>
<p>{html.escape(answer.source)}: {html.escape(answer.reason)}</p>
<p><a href="/my-data">What we know of you</a></p>
<form method="post" action="/forget-me"><button>Forget me</button></form>"""


def _row(item: RankedItem) -> str:
    buttons = "".join(
        f'<form method="post" action="/events?{html.escape(_query(item, event))}">'
        f"<button>{words}</button></form>"
        for event, words in (("click", "Take it"), ("dislike", "Not for me"))
    )
    title = item.item_id if item.title is None else item.title
    return f"<tr><td>{html.escape(title)}</td><td>{buttons}</td></tr>"


def _query(item: RankedItem, event: str) -> str:
    return urlencode({"item": item.item_id, "event": event})


def main() -> None:
    """Serve the site on this machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--store", type=Path, required=True, help="folder of what visitors did")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    uvicorn.run(make_app(given.bundle, given.store), host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
