"""A whole page: the house's style in it, and nothing that loads or runs."""

from importlib.resources import files

from pocketrec_runtime.page.markup import Markup, element, join

#: Nothing on the page may load or run anything; browsers that read this line hold it to that.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html_document(title: str, *body: Markup) -> str:
    """The text of a self-contained HTML file.

    Args:
        title: Of the window.
        body: What stands in `body`.
    """
    style = files("pocketrec_runtime.page").joinpath("style.css").read_text(encoding="utf-8")
    head = join(
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style)),
    )
    page = element("html", element("head", head), element("body", *body), lang="en")
    return f"<!doctype html>\n{page}\n"
