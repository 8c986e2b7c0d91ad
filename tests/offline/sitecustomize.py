"""In PYTHONPATH it ends every Python program that asks for a name or a connection: none may need the network."""

import sys


def _refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        sys.stderr.write(f"asked for the network: {event} {arguments[1:]}\n")
        raise RuntimeError(f"asked for the network: {event}")


sys.addaudithook(_refuse)
