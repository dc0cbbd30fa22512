"""
A bare starlette app on Ogel's own HTTP server, in a process of its own: what a request costs without the shell, and a
service for the gateway to pass requests on to.

    python -m bench.bare PORT
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ogel.runtime.http import server

PIECE = b"x" * 65_536


async def up(request: Request) -> Response:
    return JSONResponse({"status": "up"})


async def swallow(request: Request) -> Response:
    size = 0
    async for piece in request.stream():
        size += len(piece)
    return JSONResponse({"bytes": size})


async def pour(request: Request) -> Response:
    left = int(request.query_params["bytes"])

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(left // len(PIECE)):
            yield PIECE

    return StreamingResponse(pieces(), headers={"content-length": str(left)})


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        return


app = Starlette(
    routes=[
        Route("/", up),
        Route("/swallow", swallow, methods=["PUT"]),
        Route("/pour", pour),
        WebSocketRoute("/echo", echo),
    ]
)


async def main(port: int) -> None:
    sockets = server.bind("127.0.0.1", port)
    server.listen(sockets)
    await server.serve(app, sockets, asyncio.Event(), 1.0)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
