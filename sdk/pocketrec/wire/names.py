"""Paths, headers, limits and error codes."""

RECOMMEND_PATH = "/v1/recommend"
SCORE_PATH = "/v1/score"
ITEMS_PATH = "/v1/items"

#: What is left of the caller's deadline, whole milliseconds; the server gives up with 504 after it.
TIMEOUT_HEADER = "X-Request-Timeout-Ms"
#: Seconds after which to ask again; comes with 429 and 503.
RETRY_AFTER_HEADER = "Retry-After"

MAX_REQUEST_BYTES = 64 * 1024
MAX_ANSWER_BYTES = 1024 * 1024
MAX_K = 1_000
MAX_CANDIDATES = 1_000
#: Of one id, as UTF-8.
MAX_ID_BYTES = 512
MAX_TIMEOUT_MS = 600_000
#: Of a fingerprint, a code or a message.
MAX_TEXT_CHARS = 1_000

#: What each status other than 200 means, as `code` of its error.
ERROR_CODES = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "internal",
    503: "unavailable",
    504: "deadline_exceeded",
}
