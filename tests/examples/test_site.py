"""The web shop as a real process on loopback, killed and started again."""

import http.cookiejar
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SITE = Path(__file__).parents[2] / "examples" / "site.py"


@contextmanager
def running(bundle: Path, store: Path) -> Iterator[str]:
    """The address of a site that is killed, not ended, afterwards."""
    command = [sys.executable, str(SITE), str(bundle), "--store", str(store), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        try:
            for line in process.stderr:
                if found := re.search(rb"running on (http://\S+)", line):
                    break
            else:
                raise AssertionError("the site did not start")
            yield found[1].decode()
        finally:
            process.kill()


class Browser:
    """Keeps cookies and follows redirects."""

    def __init__(self) -> None:
        self.cookies = http.cookiejar.CookieJar()
        handler = urllib.request.HTTPCookieProcessor(self.cookies)
        self._opener = urllib.request.build_opener(handler, urllib.request.ProxyHandler({}))

    def get(self, url: str) -> str:
        with self._opener.open(url, timeout=60) as page:
            return page.read().decode()

    def post(self, url: str) -> str:
        with self._opener.open(urllib.request.Request(url, method="POST"), timeout=60) as page:
            return page.read().decode()


def titles(page: str) -> list[str]:
    return re.findall(r"<tr><td>(.*?)</td>", page)


def test_a_visitor_clicks_comes_back_and_is_forgotten(tiny_bundle, tmp_path) -> None:
    visitor, other = Browser(), Browser()
    with running(tiny_bundle, tmp_path / "store") as site:
        page = visitor.get(site)
        assert titles(page)[:2] == ["Star Wars", "Return of the Jedi"]
        assert "popularity" in page
        actions = re.findall(r'action="(/events[^"]*)"', page)
        assert "/events?item=x%2Cy&amp;event=dislike" in actions
        clicked = visitor.post(site + "/events?item=50&event=click")
        assert titles(clicked)[:3] == ["Return of the Jedi", "عنصر", "Red \x1b[31malert"]
        disliked = visitor.post(site + actions[1].replace("&amp;", "&").replace("=50", "=181"))
        assert titles(disliked)[0] == "عنصر"
        assert titles(other.get(site))[0] == "Star Wars"
    with running(tiny_bundle, tmp_path / "store") as site:
        for cookie in visitor.cookies:
            assert cookie.has_nonstandard_attr("HttpOnly")
        assert titles(visitor.get(site))[0] == "عنصر"
        known = json.loads(visitor.get(site + "/my-data"))
        assert [(e["item"], e["event"]) for e in known["events"]] == [
            ("50", "click"),
            ("181", "dislike"),
        ]
        forgotten = visitor.post(site + "/forget-me")
        assert titles(forgotten)[0] == "Star Wars"
        assert json.loads(visitor.get(site + "/my-data"))["events"] == []
