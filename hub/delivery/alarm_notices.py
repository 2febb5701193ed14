"""The drain of alarms' notices: people are told what is lost and what is back, each once, through their notifier."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from hub.contracts import Notice, Notifier
from hub.delivery.alarms import ALARM, NOTICE, WATCHER
from hub.delivery.notices import Letters
from hub.delivery.rounds import Row
from hub.fiscal import Text

OVER = Text("It is over: {words}", "Снова в порядке. Было: {words}")
LOST = Text("{words}", "{words}")
SUBJECT = {"raised": Text("kassahub: needs attention", "kassahub: нужно внимание"),
           "cleared": Text("kassahub: in order again", "kassahub: снова в порядке")}


class AlarmNotices(Letters):
    """Notices to the owner's people: "alarm:<notifier id>"."""

    kind = "alarm"
    rows = NOTICE
    wanted = ("id", "public_id", "alarm_id", "watcher_id", "about", "tries")

    def _mine(self, number: int) -> Any:
        return NOTICE.c.notifier_id == number

    def _notice(self, row: Row, notifier: Notifier) -> tuple[str, Notice | str]:
        with self.db.read() as connection:
            found = connection.execute(
                select(ALARM.c.public_id, ALARM.c.words, ALARM.c.cleared_at, WATCHER.c.address, WATCHER.c.language,
                       WATCHER.c.archived_at)
                .join(WATCHER, WATCHER.c.id == row["watcher_id"])
                .where(ALARM.c.id == row["alarm_id"])).mappings().one()
        alarm = str(found["public_id"])
        if found["archived_at"] is not None:
            return alarm, "the person is told nothing any more"
        if row["about"] == "raised" and found["cleared_at"] is not None:
            # It failed, or was in hand, until it was over: sent now, it would be the last word of two.
            return alarm, "it is over"
        words = Text.from_json(found["words"])
        text = (LOST if row["about"] == "raised" else OVER).with_(words=words).say(found["language"])
        return alarm, Notice(to=found["address"], subject=SUBJECT[row["about"]].say(found["language"]),
                             text=f"{text}\n\n{self.public_url}/\n", key=str(row["public_id"]), url=self.public_url)
