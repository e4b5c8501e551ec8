"""/docs, /docs/problems/... and /openapi.json: files of this installation, nothing from anywhere else."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

from hub.api.document import document_bytes
from hub.api.ingress import Receive, Scope, Send
from hub.api.problems import PAGES, page

FOLDER = Path(__file__).resolve().parent / "swagger"
INDEX = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Order Hub API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
START = b"""window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  validatorUrl: null,
});
"""
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script and no style but the files above; Swagger UI's pictures are data inside its style sheet."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "swagger-ui-bundle.js.LICENSE.txt")


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every path below /docs and /openapi.json."""
    del receive
    found = _page(scope["path"])
    if found is None or scope["method"] not in ("GET", "HEAD"):
        status = 404 if found is None else 405
        found = (f"{status}: /docs shows the API".encode(), "text/plain; charset=utf-8")
    else:
        status = 200
    body, content_type = found
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-security-policy", POLICY),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"no-cache"),
        (b"vary", b"accept-encoding"),
    ]
    if len(body) > 4_096 and any(b"gzip" in value for name, value in scope["headers"] if name == b"accept-encoding"):
        body = _packed(scope["path"])
        headers.append((b"content-encoding", b"gzip"))
    if status == 405:
        headers.append((b"allow", b"GET, HEAD"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _page(path: str) -> tuple[bytes, str] | None:
    if path == "/openapi.json":
        return document_bytes(), "application/json"
    if path in ("/docs", "/docs/"):
        return INDEX, "text/html; charset=utf-8"
    if path == "/docs/start.js":
        return START, TYPES[".js"]
    if path.startswith(PAGES):
        found = page(path.removeprefix(PAGES))
        return None if found is None else (found, "text/html; charset=utf-8")
    name = path.removeprefix("/docs/")
    if name not in FILES:
        return None
    return _file(name), TYPES[Path(name).suffix]


@functools.cache
def _file(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@functools.cache
def _packed(path: str) -> bytes:
    found = _page(path)
    assert found is not None
    return gzip.compress(found[0], 6, mtime=0)
