"""WebSockets (RFC 6455) on connections of ours: the handshake, frames both ways, and sessions of ASGI applications."""
