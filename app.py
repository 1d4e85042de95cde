"""The server: the pages, and HTTP routes over the same functions, in one process. `streamlit run app.py`."""

from __future__ import annotations

import contextlib
import importlib
import json
import secrets
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from pages.components.dataset.file_upload import ADDRESS, arrivals_dir
from pages.components.runs.live_chart import LIBRARY
from piper_core import access, api
from piper_core.dataset.arrivals import receive
from piper_core.dataset.intake import IntakeError
from piper_core.settings import SettingError, Settings

try:
    OWN_TOKEN = Settings.load().studio_token
except SettingError as error:
    sys.exit(f"Piper Studio can't start: {error}")
TOKEN = access.token_in_force(OWN_TOKEN, st.get_option("server.address"), make_token=secrets.token_urlsafe(24))


SLOW_IMPORTS = (
    "pandas",
    "piper_core.dataset.text",
    "piper_core.dataset.inspection",
    "pages.components.dataset.clip_browser",
    "pages.components.dataset.pictures_view",
    "pages.components.dataset.triage_view",
    "pages.components.dataset.sandbox_view",
    "pages.components.dataset.cleaning_view",
)
"""In the order in which they are waited for."""
SPECTROGRAMS, SPECTROGRAMS_LATER_S = "librosa.feature", 8.0
"""The first page needs none, and would wait for their import."""


@contextlib.asynccontextmanager
async def import_first(app: st.App) -> AsyncIterator[None]:
    """What the first page and the first inspection need, before they are asked for: side by side with an import, both
    take twice as long, and differ by a second from one time to the next."""

    def import_spectrograms() -> None:
        time.sleep(SPECTROGRAMS_LATER_S)
        import_all((SPECTROGRAMS,))

    await run_in_threadpool(import_all, SLOW_IMPORTS)
    threading.Thread(target=import_spectrograms, name="import spectrograms", daemon=True).start()
    yield


def import_all(names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(ImportError):  # an optional package: the page that needs it says so
            importlib.import_module(name)


class Guard:
    """Refuses what `access.refusal` refuses, pages and websockets included; keeps a right token in a cookie."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        in_address = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        cookie = SimpleCookie(headers.get("cookie", "")).get(access.COOKIE)
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        given = in_address or bearer or (cookie.value if cookie else "")
        refused = access.refusal(scope.get("method", "GET"), headers, token=TOKEN, given_token=given)
        if refused is None and not (TOKEN and in_address and scope["type"] == "http" and scope["method"] == "GET"):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif refused is None:
            # The token leaves the address bar, so that it is in no bookmark and no history.
            response = RedirectResponse(scope["path"], status_code=303)
            response.set_cookie(access.COOKIE, TOKEN, httponly=True, samesite="strict")
            await response(scope, receive, send)
        elif scope["path"] in api.PATHS:
            await JSONResponse({"error": refused.sentence}, refused.status)(scope, receive, send)
        else:
            await PlainTextResponse(refused.sentence, refused.status)(scope, receive, send)


def route(path: str, method: str, answer: Callable[..., api.Answer]) -> Route:
    """A route whose handler gets the settings and the request's parameters: JSON body, else query."""

    async def handle(request: Request) -> JSONResponse:
        parameters: dict[str, Any] = dict(request.query_params)
        body = await request.body()
        if body:
            try:
                parameters |= json.loads(body)
            except (ValueError, TypeError):
                return JSONResponse({"error": "The body has to be a JSON object, or empty."}, 400)
        status, value = await run_in_threadpool(answer, Settings.load(), parameters)
        return JSONResponse(value, status)

    return Route(path, handle, methods=[method])


async def take_file(request: Request) -> JSONResponse:
    """One file of an upload, `?ticket=...&name=...`, its bytes as the body."""
    ticket, name = request.query_params.get("ticket", ""), request.query_params.get("name", "")
    try:
        size_bytes = await receive(arrivals_dir(Settings.load()), ticket, name, request.stream())
    except IntakeError as error:
        return JSONResponse({"error": str(error)}, 400)
    except OSError as error:
        return JSONResponse({"error": f"{name} can't be written: {error.strerror or error}."}, 507)
    return JSONResponse({"size_bytes": size_bytes})


async def chart_library(request: Request) -> FileResponse:
    """Plotly for the live charts, once a browser: it is 5 MB."""
    return FileResponse(LIBRARY, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})


async def say_setting(request: Request, error: Exception) -> JSONResponse:
    """A settings file that was broken while the server runs: the sentence, not a bare 500."""
    return JSONResponse({"error": str(error)}, 400)


app = st.App(
    "pages/router.py",
    routes=[
        *(route(*each) for each in api.ROUTES),
        Route(ADDRESS, take_file, methods=["PUT"]),
        Route("/plotly.min.js", chart_library),
    ],
    middleware=[Middleware(Guard)],
    lifespan=import_first,
    exception_handlers={SettingError: say_setting},
)

if TOKEN and not OWN_TOKEN:
    print(f"Piper Studio listens beyond this machine, so it asks for a token: open /?token={TOKEN}", file=sys.stderr)
