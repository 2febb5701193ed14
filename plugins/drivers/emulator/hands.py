"""What the driver does beside receipts: copies, cuts, the drawer, the clock, one document, the device's settings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hub_plugins.drivers.emulator import words
from hub_plugins.drivers.emulator.link import Answer

from hub.contracts import (
    Driver,
    Guard,
    Identity,
    Refused,
    RegisterGone,
    SettingCheck,
    StoredDocument,
    Text,
    Unavailable,
    Uncertain,
    clock_check,
)

#: A clock that was set may have gone on so far when it is read back.
CLOCK_DRIFT = timedelta(seconds=30)

Ended = Refused | Unavailable | Uncertain


def utc_now() -> datetime:
    """The hub's own clock."""
    return datetime.now(UTC)


class Hands(Driver):
    """The optional half of the contract, over the three ways to ask of the other half."""

    _identity: Identity | None
    _currency: str
    _now: Callable[[], datetime] = staticmethod(utc_now)

    @abstractmethod
    def _query(self, command: str, **fields: Any) -> Answer:
        """A command that changes nothing."""

    @abstractmethod
    def _change(self, body: dict[str, Any], guard: Guard) -> Answer | Ended:
        """One command that changes the register, sent once."""

    @abstractmethod
    def _awake(self, guard: Guard) -> None:
        """Proves that the register answers."""

    def copy_last(self, guard: Guard) -> Ended | None:
        return self._hand({"c": "copy"}, guard)

    def cut(self, guard: Guard) -> Ended | None:
        return self._hand({"c": "cut"}, guard)

    def open_drawer(self, guard: Guard) -> Ended | None:
        return self._hand({"c": "drawer"}, guard)

    def set_clock(self, moment: datetime, guard: Guard) -> Ended | None:
        ended = self._hand({"c": "clock", "at": moment.isoformat()}, guard)
        if ended is not None:
            return ended
        clock = words.status(self._query("state")).clock
        if clock is None or abs(clock - moment) > CLOCK_DRIFT:
            return Uncertain(Text("The clock was set, but shows another time. Look at the register.",
                                  "Часы установлены, но показывают другое время. Посмотрите на кассу."))
        return None

    def _hand(self, body: dict[str, Any], guard: Guard) -> Ended | None:
        self._awake(guard)
        ended = self._change(body, guard)
        return None if isinstance(ended, dict) else ended

    # -- looking -------------------------------------------------------------------------------------------------

    def read_document(self, number: int) -> StoredDocument | None:
        last = self.bookmark()
        if not 1 <= number <= last.document_number:
            return None
        answer = self._query("read", **{"from": number, "to": number})
        known = self._identity
        if known is None or answer["fn"] != known.storage_number or not answer["documents"]:
            raise RegisterGone(Text("The fiscal storage was replaced while it was read.",
                                    "Накопитель заменили во время чтения."), "changed")
        return words.stored(answer["documents"][0], known, self._currency)

    def checks(self) -> tuple[SettingCheck, ...]:
        clock = words.status(self._query("state")).clock
        return () if clock is None else (clock_check(clock, self._now()),)
