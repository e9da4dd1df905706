"""The composition root: a workspace, the Yjs endpoint, the HTTP calls and the page, run as one node.

Nothing is printed here; callers are told through ``announce``.
"""

from __future__ import annotations

import gc
import logging
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import anyio
import httpx
import uvicorn
from starlette.applications import Starlette

import openprod
from openprod import settings
from openprod.engine.workspace import Workspace
from openprod.errors import InputError, OpenprodError
from openprod.gateway.limits import Limits
from openprod.gateway.socket import YjsApp
from openprod.plugin_host.registry import Registry
from openprod.running import API, NodeRecord, bracketed, is_loopback, reachable, remove_record, served, write_record
from openprod.server.app import build_app
from openprod.server.auth import Access
from openprod.server.events import EventHub
from openprod.server.guard import LOOPBACK_HOSTS
from openprod.server.transport import InProcessTransport
from openprod.server.websocket import WebSocketProtocol
from openprod.storage.sqlite.connection import translated

PORT: Final = 8040
_GRACE_S: Final = 5
_LOG_BYTES_MAX: Final = 4 * 1024 * 1024
_IN_PROCESS = "http://127.0.0.1"


def plugins_folder() -> Path:
    """Where this person's own plugins are."""
    return settings.home() / "plugins"


def installed_plugins() -> Registry:
    """Those shipped with the program and those of this person."""
    return Registry.load(plugins_folder())


def client_folder() -> Path:
    """Where the built page is: inside the package when installed, in the checkout otherwise."""
    package = Path(openprod.__file__).parent
    installed = package / "_shipped" / "client"
    return installed if installed.is_dir() else package.parent / "client" / "dist"


# -- serving -----------------------------------------------------------------------------------------------


async def serve(
    folder: str | Path,
    host: str = "127.0.0.1",
    port: int = PORT,
    *,
    token: str | None = None,
    announce: Callable[[str], None] | None = None,
    open_browser: Callable[[str], object] | None = None,
    allowed_origins: tuple[str, ...] = (),
    tell: Callable[[str], object] | None = None,
    hub: bool = False,
) -> None:
    """Serve the workspace in ``folder`` until SIGINT or SIGTERM, or until cancelled.

    ``token``: the owner's for this launch; from the settings, else random. ``announce`` is called with
    ``http://HOST:PORT`` once requests are answered, ``open_browser`` with the page's address, which carries the token
    in its fragment; ``tell`` with what people should know about the workspace itself. ``hub``: as PeerService's.
    Raises StorageError when the workspace can't be opened, InputError when the port can't be had.
    """
    folder = Path(folder)
    token = token or settings.access_token() or secrets.token_urlsafe(32)
    async with Workspace.open(folder) as workspace:
        _pass_on(workspace, tell)
        with _logging_to(folder / "run" / "node.log"), _listening(host, port) as listener:
            _sweep(folder / "run")
            bound = listener.getsockname()[1]
            node = Node(workspace, token=token, host=host, allowed_origins=allowed_origins, hub=hub)

            settle_memory()

            def ready() -> None:
                write_record(folder, NodeRecord(pid=os.getpid(), host=host, port=bound, token=token))
                url = f"http://{bracketed(host)}:{bound}"
                if announce is not None:
                    announce(url)
                if open_browser is not None:
                    open_browser(f"http://{bracketed(reachable(host))}:{bound}/#token={token}")

            try:
                await node.run(listener, ready)
            finally:
                remove_record(folder)
                with anyio.CancelScope(shield=True):
                    await _snapshot(workspace)


def settle_memory() -> None:
    """Look for garbage rarely from here on: for a process that serves one workspace to its end.

    What was read at the opening stays, and isn't looked through again and again, least of all while an edit is on its
    way. Commits make many objects that live as long as they do, and hardly a cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


def _pass_on(workspace: Workspace, tell: Callable[[str], object] | None) -> None:
    if workspace.notice and tell is not None:
        tell(workspace.notice)


async def _snapshot(workspace: Workspace) -> None:
    """Make the next opening quick. What is confirmed is durable without it."""
    try:
        await workspace.snapshot()
    except OpenprodError:
        logging.getLogger("openprod.node").warning("No snapshot at the end", exc_info=True)


class Node:
    """An open workspace being served, and the way to its end: no new requests, everyone told, what was received
    committed."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        token: str,
        host: str = "127.0.0.1",
        allowed_origins: tuple[str, ...] = (),
        client_dist: Path | None = None,
        hub: bool = False,
    ) -> None:
        access = Access(workspace, token)
        self._limits = Limits()
        self._gateway = YjsApp(
            workspace, limits=self._limits, allowed_origins=allowed_origins, check_token=access.check
        )
        self._events = EventHub(workspace.feed)
        self._forget_revoked = workspace.on_revoked(self._events.recheck)
        self._server: _Server | None = None
        from openprod.sync.service import PeerService  # heavy, and most commands need none of it

        self._peers = PeerService(workspace, home=settings.home(), hub=hub)
        self.app: Starlette = build_app(
            workspace,
            access=access,
            gateway=self._gateway,
            client_dist=client_dist or client_folder(),
            hosts=LOOPBACK_HOSTS | {host.lower()} if is_loopback(host) else None,
            plugins=installed_plugins,
            events=self._events,
            peers=self._peers,
        )

    async def run(self, listener: socket.socket, ready: Callable[[], None]) -> None:
        """Until a signal or cancellation. ``ready`` is called once requests are answered."""
        config = uvicorn.Config(
            self.app,
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws=WebSocketProtocol,
            ws_max_size=self._limits.message_bytes_max,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        server = self._server = _Server(config, ready)
        failed: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stop_on_signal)
            tasks.start_soon(self._peers.run)
            tasks.start_soon(self._events.follow_session, self._peers.changed)
            try:
                await server.serve(sockets=[listener])
            except BaseException as error:
                self.stop()
                with anyio.CancelScope(shield=True):
                    await server.shutdown(sockets=[listener])
                if not isinstance(error, Exception):
                    raise
                failed = error  # by itself, not as part of a group
            finally:
                tasks.cancel_scope.cancel()
        if failed is not None:
            raise failed

    async def _stop_on_signal(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                self.stop()

    def stop(self) -> None:
        """Begin to end; asked twice, don't wait for requests that are being answered."""
        if self._server is not None:
            self._server.force_exit = self._server.should_exit
            self._server.should_exit = True
        self._forget_revoked()
        self._events.close()
        self._peers.close()
        self._gateway.close()


class _Server(uvicorn.Server):
    """Leaves signals to the node, and says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Raises InputError when the address can't be had."""
    if not 0 <= port <= 65535:
        raise InputError(f"{port} isn't a port.", hint="Ports are 1 to 65535; 0 picks a free one.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"The node can't listen on {host}:{port}: {reason}.",
            hint="Choose another port; --port 0 picks a free one.",
        ) from error
    with listener:
        listener.setblocking(False)
        yield listener


class _LogFile(RotatingFileHandler):
    """What can't be written, on a full disk, is let go: it must neither show at the terminal nor end the node."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """What programs would want to know goes to a file beside the workspace, never to the terminal."""
    with translated(str(path)):
        handler = _LogFile(path, maxBytes=_LOG_BYTES_MAX, backupCount=1, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    names = ("openprod", "uvicorn", "websockets", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate
        handler.close()


def _sweep(run: Path) -> None:
    """Remove what an earlier node left: what it had not finished receiving, and the way to its page."""
    for left in (*run.glob("upload-*"), run / "page.html"):
        with suppress(OSError):
            left.unlink()


# -- clients for commands ----------------------------------------------------------------------------------


@asynccontextmanager
async def connect(
    folder: str | Path, *, tell: Callable[[str], object] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the workspace's HTTP calls (addresses below /api/v1, such as ``client.get("/log")``): of the node
    that serves it, or of the workspace opened here when none does. ``tell``: as ``serve``'s.

    Raises WrongFile, Busy and other StorageErrors.
    """
    async with served(folder) as client:
        if client is not None:
            yield client
            return
    async with in_process(folder, tell=tell) as client:
        yield client


@asynccontextmanager
async def in_process(
    folder: str | Path, *, tell: Callable[[str], object] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the same calls on a workspace opened in this process, with the owner's rights."""
    token = secrets.token_urlsafe(32)
    async with Workspace.open(folder) as workspace:
        _pass_on(workspace, tell)
        app = build_app(workspace, access=Access(workspace, token), plugins=installed_plugins)
        with _logging_to(Path(folder) / "run" / "node.log"):
            async with httpx.AsyncClient(
                transport=InProcessTransport(app),
                base_url=_IN_PROCESS + API,
                headers={"authorization": f"Bearer {token}"},
                timeout=None,
            ) as client:
                yield client
