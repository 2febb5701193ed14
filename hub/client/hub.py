"""The calls. One decision about trying again, here and nowhere else."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import quote

import requests

Json = dict[str, Any]
#: Statuses after which the same call may pass a moment later.
AGAIN = frozenset({429, 500, 502, 503, 504})


class HubError(Exception):
    """The hub answered with a problem: ``code``, a sentence in ``detail``, and ``errors`` that name each field."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail', '')}")
        self.status, self.problem = status, dict(problem)
        self.code, self.detail = str(problem.get("code", "")), str(problem.get("detail", ""))
        self.errors: list[Json] = list(problem.get("errors") or ())


class Unreachable(Exception):
    """No answer after all tries. The call may have been done: call again with the same ``once``, or, for a receipt,
    simply with the same ``key``."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt; ``data`` is all that the hub says of it. ``total`` is decimal text."""

    id: str
    key: str
    state: str
    total: str | None
    data: Json = field(repr=False)

    @classmethod
    def of(cls, data: Json) -> Receipt:
        """From the API's JSON."""
        return cls(data["id"], data["key"], data["state"], data["total"], data)

    @property
    def printed(self) -> bool:
        """Whether a fiscal storage has it."""
        return self.state in ("recorded", "confirmed")


class Hub:
    """One shop of a hub. Thread-safe as far as ``requests.Session`` is; ``sleep`` is for tests."""

    def __init__(self, url: str, key: str, *, tries: int = 5, timeout: tuple[float, float] = (5.0, 30.0),
                 language: str = "en", session: requests.Session | None = None,
                 sleep: Callable[[float], None] = time.sleep) -> None:
        self.base = f"{url.rstrip('/')}/api/v1"
        self.tries, self.timeout, self._sleep = tries, timeout, sleep
        self.session = session or requests.Session()
        self._headers = {"Authorization": f"Bearer {key}", "Accept-Language": language}

    def key(self) -> Json:
        """What the key may do, of which shop it is, and until when."""
        return self.call("GET", "/key")

    # -- receipts ------------------------------------------------------------------------------------------------

    def create_receipt(self, receipt: Mapping[str, Any], *, once: str = "") -> Receipt:
        """Creates a receipt; its ``key`` makes it one. HubError ``rules`` when it breaks rules (it is kept), and
        ``conflict`` when the key stands for another one."""
        return Receipt.of(self.call("POST", "/receipts", receipt, once=once))

    def create_correction(self, receipt: Mapping[str, Any], *, once: str = "") -> Receipt:
        """Creates a correction: a receipt with ``correction``."""
        return Receipt.of(self.call("POST", "/corrections", receipt, once=once))

    def receipt(self, receipt_id: str) -> Receipt:
        """Reads a receipt by the hub's id."""
        return Receipt.of(self.call("GET", f"/receipts/{quote(receipt_id, safe='')}"))

    def receipts(self, **filters: str) -> Iterator[Receipt]:
        """All receipts, newest first, page by page; filters: state, key, number, since, until."""
        return (Receipt.of(one) for one in self.pages("/receipts", **filters))

    def cancel(self, receipt_id: str, *, once: str = "") -> Receipt:
        """Cancels a receipt that waits."""
        return Receipt.of(self.call("POST", f"/receipts/{quote(receipt_id, safe='')}/cancel", once=once))

    def give_back(self, receipt_id: str, key: str, lines: Mapping[int, str] | None = None, *, form: str = "",
                  once: str = "") -> Receipt:
        """Returns a printed receipt: of all that is left, or of ``lines`` (index -> quantity as text)."""
        asked: Json = {"key": key}
        if lines is not None:
            asked["lines"] = [{"line": index, "quantity": count} for index, count in lines.items()]
        if form:
            asked["form"] = form
        return Receipt.of(self.call("POST", f"/receipts/{quote(receipt_id, safe='')}/returns", asked, once=once))

    # -- registers and reports -----------------------------------------------------------------------------------

    def registers(self) -> list[Json]:
        """The registers that serve the shop, with their lamps."""
        return cast(list[Json], self.call("GET", "/registers")["items"])

    def register(self, register_id: str) -> Json:
        """One register with its lamps."""
        return self.call("GET", f"/registers/{quote(register_id, safe='')}")

    def order(self, register_id: str, command: str, *, once: str = "") -> Json:
        """Orders ``x_report``, ``open_shift`` or ``close_shift``; ask :meth:`ordered` what came of it."""
        return self.call("POST", f"/registers/{quote(register_id, safe='')}/orders", {"command": command}, once=once)

    def ordered(self, order_id: str) -> Json:
        """An order as it is now."""
        return self.call("GET", f"/orders/{quote(order_id, safe='')}")

    def orders(self, **filters: str) -> Iterator[Json]:
        """All that the shop asked of registers, newest first."""
        return self.pages("/orders", **filters)

    def shift(self, shift_id: str) -> Json:
        """One shift."""
        return self.call("GET", f"/shifts/{quote(shift_id, safe='')}")

    def shifts(self, **filters: str) -> Iterator[Json]:
        """All shifts, newest first; closed ones with their Z."""
        return self.pages("/shifts", **filters)

    def day(self, day: str = "") -> Json:
        """Totals of a day (``2026-11-30``); of today without one."""
        return self.call("GET", "/reports/day", params={"day": day} if day else {})

    def z_reports(self, **filters: str) -> Iterator[Json]:
        """Closed shifts whose Z report is kept, newest first; filter: register."""
        return self.pages("/reports/z", **filters)

    def x_reports(self, **filters: str) -> Iterator[Json]:
        """X reports that the shop asked for, with their figures, newest first."""
        return self.pages("/reports/x", **filters)

    # -- webhooks ------------------------------------------------------------------------------------------------

    def webhooks(self) -> list[Json]:
        """The shop's webhooks, oldest first; without their secrets."""
        return cast(list[Json], self.call("GET", "/webhooks")["items"])

    def webhook(self, webhook_id: str) -> Json:
        """One webhook."""
        return self.call("GET", f"/webhooks/{quote(webhook_id, safe='')}")

    def subscribe(self, url: str, events: tuple[str, ...] = (), *, title: str = "", once: str = "") -> Json:
        """Subscribes a webhook; ``secret`` in the answer is shown this once."""
        named = {"title": title} if title else {}
        return self.call("POST", "/webhooks", {"url": url, "events": list(events), **named}, once=once)

    def change_webhook(self, webhook_id: str, **changes: Any) -> Json:
        """Changes ``url``, ``title``, ``events`` or ``enabled``; what is left out stays."""
        return self.call("PATCH", f"/webhooks/{quote(webhook_id, safe='')}", changes)

    def unsubscribe(self, webhook_id: str) -> None:
        """Takes a webhook away. One that is away already is: the answer to the first try may have been lost."""
        try:
            self.call("DELETE", f"/webhooks/{quote(webhook_id, safe='')}")
        except HubError as problem:
            if problem.code != "not_found":
                raise

    def rotate(self, webhook_id: str, hours: int = 24, *, once: str = "") -> Json:
        """A new ``secret``; the old one signs too for so many hours."""
        return self.call("POST", f"/webhooks/{quote(webhook_id, safe='')}/rotate", {"hours": hours}, once=once)

    def test_webhook(self, webhook_id: str, *, once: str = "") -> Json:
        """Sends a message that says nothing, to try the way: its delivery."""
        return self.call("POST", f"/webhooks/{quote(webhook_id, safe='')}/test", once=once)

    def deliveries(self, webhook_id: str, **filters: str) -> Iterator[Json]:
        """What was told, how often it was tried and what came back, newest first; filter: state."""
        return self.pages(f"/webhooks/{quote(webhook_id, safe='')}/deliveries", **filters)

    def replay(self, webhook_id: str, since: str, until: str, *, failed_only: bool = False, once: str = "") -> int:
        """Sends the messages of a period again; how many."""
        return int(self.call("POST", f"/webhooks/{quote(webhook_id, safe='')}/replay",
                             {"since": since, "until": until, "failed_only": failed_only}, once=once)["deliveries"])

    def replay_delivery(self, webhook_id: str, delivery_id: str, *, once: str = "") -> None:
        """Sends one message again."""
        self.call("POST", f"/webhooks/{quote(webhook_id, safe='')}/deliveries/{quote(delivery_id, safe='')}/replay",
                  once=once)

    # -- the wire ------------------------------------------------------------------------------------------------

    def pages(self, path: str, **params: str) -> Iterator[Json]:
        """The items of all pages of a list."""
        cursor: str | None = None
        while True:
            page = self.call("GET", path, params={**params, **({"cursor": cursor} if cursor else {})})
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def call(self, method: str, path: str, body: Any = None, *, params: Mapping[str, str] | None = None,
             once: str = "") -> Json:
        """One call, tried again under the same idempotency key while the hub is away or busy. Raises HubError for a
        problem, Unreachable when no try had an answer."""
        headers = dict(self._headers)
        if method == "POST":
            headers["Idempotency-Key"] = once or secrets.token_urlsafe(18)
        trouble: Exception = Unreachable("no try was made")
        for attempt in range(self.tries):
            wait = min(30.0, 0.5 * 2 ** attempt) * random.uniform(1.0, 1.25)
            try:
                answer = self.session.request(method, self.base + path, json=body, params=dict(params or {}),
                                              headers=headers, timeout=self.timeout, allow_redirects=False)
            except requests.RequestException as problem:
                trouble = Unreachable(f"{type(problem).__name__}: {problem}")
            else:
                if answer.status_code < 400:
                    return cast(Json, answer.json()) if answer.content else {}
                trouble = HubError(answer.status_code, _problem(answer))
                if answer.status_code not in AGAIN:
                    raise trouble
                asked = answer.headers.get("Retry-After", "")
                wait = max(wait, float(asked)) if asked.isascii() and asked.isdigit() else wait
            if attempt + 1 < self.tries:
                self._sleep(wait)
        raise trouble


def _problem(answer: requests.Response) -> Json:
    try:
        data = answer.json()
    except ValueError:
        data = None
    return data if isinstance(data, dict) else {"code": "", "detail": answer.text[:300]}
