"""
What Autobahn's test suite is pointed at: echoes messages of any size, through an ASGI application or a connection of
realtime.

    .venv/bin/python -m tests.support.autobahn 9001 realtime

The suite is written for Python 2.7, for which these are the last versions that go together (into a directory of their
own, with `touch zope/__init__.py` in it; Twisted after incremental, and without build isolation):

    incremental==21.3.0 zope.interface==5.4.0 constantly==15.1.0 automat==0.8.0 hyperlink==21.0.0 PyHamcrest==1.9.0
    twisted==20.3.0 txaio==2.1.0 autobahn==0.10.9 autobahntestsuite==0.8.2 klein==17.10.0 werkzeug==0.16.1
    jinja2==2.11.3 markupsafe==1.1.1 pyopenssl==19.1.0 cryptography==3.3.2 cffi==1.15.1 service_identity==18.1.0
    pyasn1 pyasn1_modules unittest2 traceback2 linecache2

    python2.7 -c 'from autobahntestsuite.wstest import run; run()' -m fuzzingclient -s spec.json
    {"servers": [{"url": "ws://127.0.0.1:9001"}], "cases": ["*"], "exclude-cases": ["12.*", "13.*"]}

Sections 12 and 13 are those of compression, which we do not agree to.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from ogel.runtime.http import server, websocket
from ogel.runtime.http.allowance import Rates
from ogel.runtime.realtime.connections.registry import ConnectionOptions
from tests.support.door import Recorder
from tests.support.sessions import Taking

# Its largest messages have 16 MiB, and come as fast as they can.
MAX_BYTES = 64 * 1024 * 1024
RATES = Rates(1e9, 1e9, 1e12, 1e12)


async def main(port: int, kind: str) -> None:
    websocket.RATES, websocket.MAX_MESSAGE_BYTES = RATES, MAX_BYTES
    options = ConnectionOptions(max_message_bytes=MAX_BYTES, rates=RATES, queue_bytes=4 * MAX_BYTES)
    app = Taking(options=options) if kind == "realtime" else Recorder()
    sockets = server.bind("127.0.0.1", port)
    server.listen(sockets)
    await server.serve(app, sockets, asyncio.Event(), 1.0)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
