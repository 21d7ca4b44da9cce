"""A connection that tells when its client stops reading, and when it is lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection

SOCKET_BUFFER = 65536  # bytes


class Connection(ServerConnection):
    """Tells the stream behind it when its client stops reading, and when it reads again."""

    paused_changed: Callable[[bool], None] | None = None
    gone: Callable[[], None] | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.paused_changed is not None:
            self.paused_changed(True)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.paused_changed is not None:
            self.paused_changed(False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")  # the system would buffer megabytes
        for side in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, side, SOCKET_BUFFER)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self.gone is not None:
            self.gone()
