"""A webhook receiver to try things with: `receiver.py PORT [whsec_…]` prints what arrives, and verifies it."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = sys.argv[2] if len(sys.argv) > 2 else None


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        print(self.headers["webhook-id"], _verdict(body, dict(self.headers)), body.decode(), flush=True)
        self.send_response(204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The line above says more."""


def _verdict(body: bytes, headers: dict[str, str]) -> str:
    if SECRET is None:
        return "(not verified: no secret given)"
    try:
        Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    except WebhookVerificationError:
        return "WRONG SIGNATURE"
    return "verified"


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    print(f"listening on http://localhost:{port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
