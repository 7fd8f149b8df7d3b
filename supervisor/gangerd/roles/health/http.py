"""As much of HTTP/1 as a probe speaks: one request a connection, GET or HEAD, a short document back.

Pure: bytes in, bytes out. The connections are server.py's.
"""

from collections.abc import Callable

import msgspec

from gangerd.health import Health

MAX_HEAD_BYTES = 4096
PATHS = {"/live": ("live",), "/ready": ("ready",), "/": ("live", "ready"), "/health": ("live", "ready")}
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


def is_whole(head: bytes) -> bool:
    """The request's head has arrived, or more than one will ever be."""
    return b"\r\n\r\n" in head or b"\n\n" in head or len(head) > MAX_HEAD_BYTES


def answer(head: bytes, health: Callable[[], Health]) -> bytes:
    """The response to a request; its body says what is wrong and nothing of the settings."""
    words = head.split(b"\n", 1)[0].split()
    if len(words) != 3 or not words[2].startswith(b"HTTP/1.") or len(head) > MAX_HEAD_BYTES:
        return _response(400, {"error": "this is no HTTP/1 request"}, False)
    method, path = words[0], words[1].partition(b"?")[0].decode("latin-1")
    if method not in (b"GET", b"HEAD"):
        return _response(405, {"error": "GET or HEAD"}, False)
    if path not in PATHS:
        return _response(404, {"error": "there are /live and /ready, and / for both"}, method == b"HEAD")
    found = health()
    status = 200 if found.is_well(*PATHS[path]) else 503
    return _response(status, msgspec.to_builtins(found), method == b"HEAD")


def _response(status: int, document: dict[str, object], head_only: bool) -> bytes:
    body = msgspec.json.encode(document) + b"\n"
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n"
    )
    head += "Allow: GET, HEAD\r\n" if status == 405 else ""
    return head.encode() + b"\r\n" + (b"" if head_only else body)
