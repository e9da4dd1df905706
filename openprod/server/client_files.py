"""The web client's built files, with the headers that keep the page to this node."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_ASSETS: Final = "assets"
_FILE_ENDINGS: Final = frozenset(
    {".css", ".gif", ".html", ".ico", ".jpg", ".js", ".json", ".map", ".png", ".svg", ".txt", ".webmanifest", ".woff2"}
)
_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Openprod</title></head>
<body><h1>The node is running</h1>
<p>Its web page hasn't been built. Run <code>make page</code> in the project's folder, then load this page again.</p>
<p>Programs can use the node already: its calls are described at
<a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p></body></html>
"""


class ClientFiles(StaticFiles):
    """Files under ``folder``; its index.html for every other address, because the page has addresses of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._folder = folder

    async def check_config(self) -> None:
        """The folder may come and go while the node runs: that is looked at with each request."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if PurePosixPath(path).parts[:1] in (("api",), ("yjs",)):
            raise HTTPException(404)
        if not (self._folder / "index.html").is_file():
            response: Response = HTMLResponse(_NOT_BUILT, status_code=503)
            path = "index.html"
        else:
            path, response = await self._found(path, scope)
        # Built files carry their content's hash in their name; all else is asked for anew.
        kept = PurePosixPath(path).parts[:1] == (_ASSETS,) and response.status_code in (200, 206, 304)
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if kept else "no-cache"
        for name, value in _page_headers(Request(scope)).items():
            response.headers[name] = value
        return response

    async def _found(self, path: str, scope: Scope) -> tuple[str, Response]:
        if path not in ("", "."):
            try:
                return path, await super().get_response(path, scope)
            except HTTPException as error:
                # The page's own addresses may hold dots (they name facets): only what ends as files do is one.
                if error.status_code != 404 or PurePosixPath(path).suffix in _FILE_ENDINGS:
                    raise
        return "index.html", await super().get_response("index.html", scope)


def _page_headers(request: Request) -> dict[str, str]:
    host = request.headers.get("host", "")
    scheme = "wss" if request.url.scheme == "https" else "ws"
    # 'self' doesn't cover WebSockets in every browser.
    socket = f" {scheme}://{host}" if _HOST.fullmatch(host) else ""
    return {
        "content-security-policy": (
            f"default-src 'self'; connect-src 'self'{socket}; img-src 'self' data: blob:; object-src 'none'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
