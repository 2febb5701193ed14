"""What the hub remembers of its conversation with one site between two polls. Small, and harmless to lose.

Kept by the core in the same transaction as the checks of an answer. Without it results are sent under made-up uuids,
which the site reads just as well, and a check that it hands out again is looked up by its source key.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hub_plugins.bitrix.poll_wire import Sums

#: Checks remembered at once; more wait unacknowledged only on a site that never answers.
MOST_OUT, MOST_DEAD = 1000, 300


@dataclass
class Out:
    """A check that was handed to us and whose result the site has not acknowledged.

    ``uuid`` as last received, ``zn`` the register that it named, ``key`` our source key, ``mark`` the key that its
    content says, ``content`` a fingerprint of what was handed out under it (of an older hub's state: empty).
    ``again``: tell the result once more though its delivery is done; ``tries`` counts those.
    """

    uuid: str
    key: str
    mark: str
    zn: str = ""
    content: str = ""
    again: bool = False
    tries: int = 0


@dataclass
class Dead:
    """A check that the site cannot take a result for. ``mark`` is the key that its content says: another one under
    the same number is another check; ``key`` our source key. An empty mark is one that was not known.

    ``why`` "other": contents that are not the receipt's wait for a person; ``decided`` counts the decisions that were
    made about the key before."""

    why: str
    mark: str = ""
    key: str = ""
    decided: int = 0


@dataclass
class Doubt:
    """Results of a poll that the site lost with an exception (§2.2: one bad value loses them all).

    ``probing``: the next poll goes without results, to tell a bad result from a site that is broken anyway.
    ``strikes`` counts how often a result, sent alone, broke a poll that works without it.
    """

    probing: bool = False
    alone: bool = False
    blamed: str = ""
    strikes: dict[str, int] = field(default_factory=dict)


@dataclass
class State:
    """The conversation. ``version`` is the api_version last sent, ``dead`` the checks that the site cannot take a
    result for, ``z`` Z-reports asked for and not yet acknowledged (uuid -> register), ``tills`` what each register's
    receipts came to. ``sums`` are an older hub's, of all registers: they are the first one's."""

    version: str = ""
    out: dict[str, Out] = field(default_factory=dict)
    dead: dict[str, Dead] = field(default_factory=dict)
    z: dict[str, str] = field(default_factory=dict)
    sums: Sums = field(default_factory=Sums)
    tills: dict[str, Sums] = field(default_factory=dict)
    doubt: Doubt = field(default_factory=Doubt)
    host: str = ""
    handed: bool = False

    @classmethod
    def read(cls, text: str) -> State:
        """From :meth:`write`; anything unreadable is an empty state."""
        try:
            tree = json.loads(text or "{}")
            tree = tree if isinstance(tree, dict) else {}
            known = {one.name for one in fields(cls)}
            values: dict[str, Any] = {name: value for name, value in tree.items() if name in known}
            values["out"] = {name: Out(**one) for name, one in values.get("out", {}).items()}
            values["dead"] = {name: Dead(**one) if isinstance(one, dict) else Dead(str(one))  # an older hub's word
                              for name, one in values.get("dead", {}).items()}
            values["tills"] = {number: Sums(**one) for number, one in values.get("tills", {}).items()}
            values["sums"], values["doubt"] = Sums(**values.get("sums", {})), Doubt(**values.get("doubt", {}))
            return cls(**values)
        except (ValueError, TypeError, AttributeError):
            return cls()

    def write(self) -> str:
        """As text, the oldest of too many left out."""
        self.out = dict(list(self.out.items())[-MOST_OUT:])
        self.dead = dict(list(self.dead.items())[-MOST_DEAD:])
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)

    def bury(self, name: str, why: str, mark: str = "", key: str = "", decided: int = 0) -> None:
        """No result is told to that check any more; without a ``mark`` it is the one that is out."""
        out = self.out.pop(name, None)
        self.dead[name] = Dead(why, out.mark, out.key) if out is not None and not mark \
            else Dead(why, mark, key, decided)
        self.doubt.strikes.pop(name, None)

    def sums_of(self, number: str) -> Sums:
        """What the receipts of that register of the site came to."""
        if number not in self.tills:
            self.tills[number], self.sums = self.sums, Sums()
        return self.tills[number]

    def of_key(self, key: str) -> str:
        """The id of the check with that source key among those that are out; empty when there is none."""
        return next((name for name, one in self.out.items() if one.key == key), "")
