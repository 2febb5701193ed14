"""What the driver does beside receipts: copy, cut, drawer, clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo

from hub_plugins.drivers.shtrih_m import answers, commands, errors
from hub_plugins.drivers.shtrih_m.errors import Refusal
from hub_plugins.drivers.shtrih_m.link import Lost
from hub_plugins.drivers.shtrih_m.selling import Ended, ended, obstacle
from hub_plugins.drivers.shtrih_m.session import Session

from hub.contracts import Guard, Refused, Text, Uncertain

#: A clock that was set may have gone on so far when it is read back.
DRIFT = timedelta(seconds=90)
#: Mode in which the register waits for its date to be confirmed.
CONFIRM = 6

SHIFT_FIRST = Text("The clock is set while the shift is closed. Close the shift.",
                   "Часы ставят при закрытой смене. Закройте смену.")
OTHER_TIME = Text("The clock was set, but shows another time. Look at the register.",
                  "Часы установлены, но показывают другое время. Посмотрите на кассу.")


class Hands:
    """Over one session."""

    def __init__(self, session: Session, zone: tzinfo) -> None:
        self.session, self.zone = session, zone

    def copy_last(self, guard: Guard) -> Ended | None:
        """8Ch."""
        return self._hand(commands.copy_last(self.session.operator), guard)

    def cut(self, guard: Guard) -> Ended | None:
        """25h, a partial cut: it suits every cutter."""
        return self._hand(commands.cut(self.session.operator, True), guard)

    def open_drawer(self, guard: Guard) -> Ended | None:
        """28h."""
        return self._hand(commands.open_drawer(self.session.operator), guard)

    def _hand(self, command: bytes, guard: Guard) -> Ended | None:
        hindered = obstacle(self.session.to_rest(guard))
        if hindered is not None and hindered.vendor_code not in _WITHOUT_SHIFT:
            return hindered
        return self._done(lambda: self.session.tell(command, guard, commands.PRINT, still=lambda: True))

    def _done(self, act: Callable[[], object]) -> Ended | None:
        try:
            act()
        except Lost as problem:
            return Uncertain(problem.reason, problem.code) if problem.sent else ended(problem)
        except Refusal as refusal:
            return ended(refusal)
        return None

    def set_clock(self, moment: datetime, guard: Guard) -> Ended | None:
        """Date, its confirmation, time; then the clock is read back. A date that was set and not confirmed keeps the
        register from everything: the next try begins with the confirmation."""
        session = self.session
        state = session.to_rest(guard)
        if state.mode not in (4, CONFIRM):
            return Refused(SHIFT_FIRST, True)
        here = moment.astimezone(self.zone)

        def act() -> None:
            session.tell(commands.set_date(session.admin, here), guard)
            session.tell(commands.confirm_date(session.admin, here), guard)
            session.tell(commands.set_time(session.admin, here), guard)

        problem = self._done(act)
        if problem is not None:
            return problem
        with session.reading():
            clock = answers.full_state(session.ask(commands.full_state(session.operator), commands.STATE)).clock
        if clock is None or abs(clock.replace(tzinfo=self.zone) - here) > DRIFT:
            return Uncertain(OTHER_TIME)
        return None


_WITHOUT_SHIFT = frozenset(errors.vendor_code(one) for one in (errors.SHIFT_IS_CLOSED, errors.OVER_24))
