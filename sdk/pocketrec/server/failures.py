"""Why a request is not answered, as a status and the error body of the wire format."""

import math

from starlette.responses import Response

from pocketrec.wire import ERROR_CODES, RETRY_AFTER_HEADER, ErrorAnswer

JSON = "application/json"


class RefusedError(Exception):
    """A request that is answered with another status than 200.

    Args:
        status: One of `ERROR_CODES`.
        message: For people; says nothing of a history.
        retry_after_s: When to ask again, for 429 and 503.
        close: Whether the connection is of no more use, as a rest of the body stands in it.
    """

    def __init__(
        self, status: int, message: str, *, retry_after_s: float = 1.0, close: bool = False
    ) -> None:
        self.status, self.message, self.close = status, message, close
        self.retry_after_s = retry_after_s
        super().__init__(message)

    def headers(self) -> dict[str, str]:
        """What stands in the answer's head beyond its type."""
        found = {"connection": "close"} if self.close else {}
        if self.status in (429, 503):
            found[RETRY_AFTER_HEADER] = str(max(1, math.ceil(self.retry_after_s)))
        if self.status == 401:
            found["WWW-Authenticate"] = "Bearer"
        return found

    def response(self) -> Response:
        """The answer."""
        return failure(self.status, self.message, self.headers())


def failure(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """An error of the wire format."""
    code = ERROR_CODES.get(status, "error")
    body = ErrorAnswer(code, message).body()
    return Response(body, status, headers=headers, media_type=JSON)
