"""Calls to addresses that somebody else chose: callbacks and webhooks, whose URL came in a request or on a form.

Such an address may be ``http://169.254.169.254/`` or a name that leads to the shop's own router. So the name is looked
up here, each address is judged, and the connection is made to exactly the address that was judged: no second look-up
that could answer otherwise (DNS rebinding). Only public addresses pass unless the operator allowed more
(``HUB_OUTGOING_ALLOW``). Redirects are not followed, and no proxy of the environment is used: it would look the name
up again.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from hub.contracts.errors import NeedsAttention
from hub.contracts.http import Client
from hub.fiscal import Text

#: Addresses of one name that are tried: each may cost a whole timeout.
MOST_ADDRESSES = 4
LONGEST_URL = 2000

#: What is assigned for the whole Internet (RFC 4291), and prefixes whose addresses stand for an IPv4 address (RFC 6052,
#: RFC 3056).
_UNICAST = IPv6Network("2000::/3")
_NAT64, _SIX_TO_FOUR = IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16")

Resolve = Callable[..., Iterable[tuple[Any, ...]]]

PRIVATE = Text("{host} leads to an address that is not public ({address}), and the hub calls only public ones. Give "
               "another address, or have the operator allow this one (HUB_OUTGOING_ALLOW).",
               "{host} ведёт на непубличный адрес ({address}), а хаб обращается только к публичным. Укажите другой "
               "адрес или попросите администратора хаба разрешить этот (HUB_OUTGOING_ALLOW).")
NO_WEB_ADDRESS = Text("“{url}” is no web address: it must begin with http:// or https:// and name a host.",
                      "«{url}» — не веб-адрес: он начинается с http:// или https://, дальше имя сервера.")
HAS_PASSWORD = Text("An address with a user name in it (“…@{host}”) is not called.",
                    "Адрес с именем пользователя («…@{host}») не вызывается.")


def url_problem(url: str) -> Text | None:
    """What is wrong with an address as text; whether it is public is known only when it is called."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host or len(url) > LONGEST_URL \
            or any(one <= " " or one == "\x7f" for one in url):
        return NO_WEB_ADDRESS.with_(url=url[:100])
    if "@" in parts.netloc:
        return HAS_PASSWORD.with_(host=host)
    return None


class Outgoing:
    """Makes clients that reach public addresses, and the ``allowed`` networks. One for a process; thread-safe."""

    def __init__(self, allowed: Iterable[Any] = (), resolve: Resolve = socket.getaddrinfo) -> None:
        self.allowed, self._resolve = tuple(allowed), resolve
        self._local = threading.local()

    def client(self, connect: float = 5.0, read: float = 15.0) -> Client:
        """A client for the calling thread. A forbidden address raises NeedsAttention, what passes by itself TryLater
        (:class:`~hub.contracts.Client`)."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            # Neither a proxy nor a .netrc of the environment has a say in a stranger's address.
            session.trust_env = False
            session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
            for scheme in ("http://", "https://"):
                session.mount(scheme, _Adapter(self))
        return _Careful(session, connect, read)

    def is_allowed(self, address: str) -> bool:
        """Whether an IP address may be called."""
        try:
            found = _meant(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if any(found in network for network in self.allowed if network.version == found.version):
            return True
        if isinstance(found, IPv6Address) and found not in _UNICAST:
            return False  # site-local addresses and whatever nobody has assigned
        return found.is_global and not found.is_multicast and not found.is_reserved

    def dial(self, host: str, port: int, timeout: Any, options: Any) -> socket.socket:
        """A socket to an allowed address of ``host``. Raises NeedsAttention when it has none, OSError when no one
        answers there."""
        try:
            found = [*self._resolve(host, port, 0, socket.SOCK_STREAM)]
        except UnicodeError as problem:  # a label that is empty or too long
            raise socket.gaierror(socket.EAI_NONAME, str(problem)) from problem
        good = [one for one in found if self.is_allowed(str(one[4][0]))]
        if not good:
            raise NeedsAttention(PRIVATE.with_(host=host, address=str(found[0][4][0]) if found else "—"),
                                 code="not_public")
        trouble: OSError | None = None
        for family, kind, protocol, _, address in good[:MOST_ADDRESSES]:
            sock = socket.socket(family, kind, protocol)
            try:
                for option in options or ():
                    sock.setsockopt(*option)
                if isinstance(timeout, (int, float)):
                    sock.settimeout(timeout)
                sock.connect(address)
                return sock
            except OSError as problem:
                sock.close()
                trouble = problem
        assert trouble is not None
        raise trouble


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address that is reached: the IPv4 one inside an IPv6 one that only stands for it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _SIX_TO_FOUR:
            return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address


class _Careful(Client):
    """A client that looks at the address as text first."""

    def call(self, method: str, url: str, **more: Any) -> Any:
        problem = url_problem(url)
        if problem is not None:
            raise NeedsAttention(problem, code="bad_address")
        return super().call(method, url, **more)


class _Adapter(HTTPAdapter):
    """Connections that go through :meth:`Outgoing.dial`. TLS still asks for the certificate of the name."""

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing
        super().__init__(pool_maxsize=4, max_retries=0)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        outgoing = self._outgoing

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return _dialled(outgoing, self)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return _dialled(outgoing, self)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


def _dialled(outgoing: Outgoing, connection: HTTPConnection) -> socket.socket:
    """What urllib3 calls to make a socket, with the errors that it expects."""
    host = connection._dns_host.strip("[]")
    try:
        return outgoing.dial(host, connection.port, connection.timeout, connection.socket_options)
    except socket.gaierror as problem:
        raise NameResolutionError(connection.host, connection, problem) from problem
    except TimeoutError as problem:
        raise ConnectTimeoutError(connection, f"no connection to {connection.host}") from problem
    except OSError as problem:
        raise NewConnectionError(connection, f"no connection to {connection.host}: {problem}") from problem
