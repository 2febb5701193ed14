"""The simulated portal's outgoing webhook: a queue of its own, form-encoded, sent once and never again (§4)."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from hub_plugins.bitrix24.simulator_portal import Json

#: The portal waits for its handlers only so long.
TIMEOUT = 10.0
MEMBER = "a223c6b3710f85df22e9377d6c4f7553"


class Sender:
    """Sends events to the configured address from a thread.

    Switches: ``delay`` seconds before each, ``duplicate`` sends each twice, ``reorder`` the newest first, ``lose``
    the next so many are lost. ``sent`` tells what became of each.
    """

    def __init__(self) -> None:
        self.handler_url = self.application_token = self.domain = ""
        self.events: set[str] = {"ONCRMDEALADD", "ONCRMDEALUPDATE", "ONPAYMENTENTITYSAVED"}
        self.delay, self.lose = 0.0, 0
        self.duplicate = self.reorder = False
        self.sent: list[Json] = []
        self._waiting: list[tuple[float, str, Json]] = []
        self._busy = False
        self._door = threading.Condition()
        self._thread: threading.Thread | None = None

    def put(self, event: str, fields: Json) -> None:
        """Queues an event, when a handler is set for it."""
        if not self.handler_url or event not in self.events:
            return
        with self._door:
            if self.lose > 0:
                self.lose -= 1
                self.sent.append({"event": event, **fields, "status": "lost"})
                return
            for _ in range(2 if self.duplicate else 1):
                self._waiting.append((time.monotonic() + self.delay, event, dict(fields)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            self._door.notify()

    @property
    def pending(self) -> int:
        """Events that are not yet delivered."""
        with self._door:
            return len(self._waiting) + self._busy

    def payload(self, event: str, fields: Json) -> Json:
        """The event as flat form fields, every key that the page knows (§4, outgoing webhook)."""
        domain = self.domain
        return {
            "event": event, "event_handler_id": "201",
            **{f"data[FIELDS][{name}]": value for name, value in fields.items()}, "ts": str(int(time.time())),
            "auth[domain]": domain, "auth[client_endpoint]": f"https://{domain}/rest/",
            "auth[server_endpoint]": "https://oauth.bitrix24.tech/rest/", "auth[member_id]": MEMBER,
            "auth[application_token]": self.application_token}

    def _run(self) -> None:
        while True:
            with self._door:
                while not self._waiting:
                    self._door.wait()
                due, event, fields = self._waiting.pop(-1 if self.reorder else 0)
                self._busy = True
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            status: Any = self._post(event, fields)
            with self._door:
                self.sent.append({"event": event, **fields, "status": status})
                self._busy = False

    def _post(self, event: str, fields: Json) -> Any:
        """One POST; whatever comes back, there is no second one."""
        request = urllib.request.Request(
            self.handler_url, urlencode(self.payload(event, fields)).encode(),
            {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "Bitrix24 Webhook Engine"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status
        except urllib.error.HTTPError as problem:
            problem.close()
            return problem.code
        except OSError as problem:
            return f"failed: {problem}"
