"""schemathesis asks a real server what its OpenAPI document allows, and what it does not."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode

from .conftest import Running, Start

PATHS = {
    ("POST", "/v1/recommend"),
    ("POST", "/v1/score"),
    ("GET", "/v1/items"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
}
NUMBERS = ("limit", "offset")


@pytest.fixture(scope="module")
def document(ring: Running) -> dict[str, Any]:
    with ring.client() as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
    for operations in found["paths"].values():
        for operation in operations.values():
            # A deadline of a millisecond is kept too; here it would only hide the answer.
            operation["parameters"] = [
                p for p in operation.get("parameters", []) if p["in"] != "header"
            ]
    return found


def reads_right(url: str) -> bool:
    """Whether the numbers of a query, as they were sent, are numbers: ids may be any text, and
    other names are ignored."""
    sent = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return all(text.isascii() and text.isdigit() for name, text in sent if name in NUMBERS)


def test_every_path_is_described(document: dict[str, Any]) -> None:
    found = {(method.upper(), path) for path, by in document["paths"].items() for method in by}
    assert found == PATHS


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("method", "path"), sorted(PATHS)[3:])
def test_the_server_is_what_its_document_says(
    ring: Running, document: dict[str, Any], method: str, path: str, mode: GenerationMode
) -> None:
    operation = schemathesis.openapi.from_dict(document)[path][method]
    statuses: list[int] = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        # JSON Schema takes 7.0 for an integer; the wire format, as Python, does not.
        assume(not (isinstance(case.body, dict) and isinstance(case.body.get("k"), float)))
        answer = case.call(base_url=ring.url)
        if mode is GenerationMode.NEGATIVE and method == "GET" and answer.status_code == 200:
            # An empty object is sent as nothing, and null as the id "null": nothing wrong is left.
            assume(not reads_right(str(answer.request.url)))
        statuses.append(answer.status_code)
        # A thousand ids too many may also be too many bytes, which is no word of JSON Schema.
        if answer.status_code != 413:
            case.validate_response(answer)

    ask()
    assert len(statuses) >= 10
    assert (200 in statuses) == (mode is GenerationMode.POSITIVE)


def test_the_document_names_a_token_where_one_is_needed(
    start: Start, document: dict[str, Any]
) -> None:
    assert "security" not in document["paths"]["/v1/recommend"]["post"]
    server = start(tokens="token-for-the-schema-test")
    with server.client() as client:
        found = client.get("/openapi.json").json()
    assert found["paths"]["/v1/recommend"]["post"]["security"] == [{"token": []}]
    assert "security" not in found["paths"]["/healthz"]["get"]
    assert found["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
