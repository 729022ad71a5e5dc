"""Refuse connections and name look-ups beyond loopback. Python imports this module when a case starts."""

import sys

_HOSTS = ("127.0.0.1", "::1", "localhost", None)


def _refuse_other_hosts(event: str, arguments: tuple[object, ...]) -> None:
    """Raise if an audit event is about another machine; a tool then takes its server to be down."""
    address: object = None
    if event == "socket.connect":
        address = arguments[1]  # a tuple, or the path of a Unix socket
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments
    if isinstance(address, tuple) and address[0] not in _HOSTS:
        raise ConnectionRefusedError(f"{event}: {address[0]!r} is not loopback")


sys.addaudithook(_refuse_other_hosts)
