"""The HTTP server: waitress, without a loop that turns in vain.

Its main thread asks for every connection whether there is something to send. While a thread sends an answer there
always is, but only that thread may touch it: so the main thread's loop turns as fast as it can, some 80 times for each
request of 16 busy clients, and takes the interpreter from the threads that work *(waitress 3.0.2, benchmarks/accept.py:
half as many requests again without it)*.
"""

from __future__ import annotations

from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

#: An answer up to this size is sent by the main thread in one piece when it is whole, head and body together; a larger
#: one by the thread that makes it, as it comes.
WHOLE = 32 * 1024
#: From so many bytes on the main thread helps to send what a thread still makes: no slow client fills the memory.
MUCH = 256 * 1024


class Channel(HTTPChannel):
    """A client's connection."""

    def writable(self) -> bool:
        """Whether the main thread has something to do for it."""
        if self.will_close or self.close_when_flushed:
            return True
        waiting: int = self.total_outbufs_len
        # Whoever makes an answer sends it, or leaves it whole, and wakes the main thread then.
        return waiting > 0 and (not self.requests or waiting >= MUCH)


def listening(app: Any, host: str, port: int, threads: int, **options: Any) -> Any:
    """A server that listens; its ``run()`` serves until it is closed or an exception leaves its loop."""
    server = create_server(app, host=host, port=port, threads=threads, ident=None, **options)
    # A name with several addresses is several servers in one.
    for one in [server, *getattr(server, "map", {}).values()]:
        if isinstance(one, BaseWSGIServer):
            one.channel_class = Channel
            one.adj.send_bytes = WHOLE
    return server


__all__ = ["Channel", "listening"]
