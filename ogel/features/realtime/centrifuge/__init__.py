"""The dialect of Centrifugo's clients: their JSON protocol, version 2, at `/connection/websocket`."""
