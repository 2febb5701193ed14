"""What a code on marked goods is: its kinds, its layouts by position, and :class:`Mark`, a code that was read.

The layouts are those of fiscal-domain §10; point-of-sale §1.3 gives the element ids of GS1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hub.fiscal.codes import Ffd
from hub.fiscal.money import Money
from hub.fiscal.problems import Problem

#: FNC1 between fields as scanners send it, ASCII 29.
GS = "\x1d"
#: Bytes tag 2000 holds; a longer text is no code of anything.
LONGEST_CODE = 256
#: Longer input is not looked into at all: the longest code in base64, or with every separator spelled out, is shorter.
LONGEST_INPUT = 1024


class MarkKind(Enum):
    """Which form of code it is. The value is the word that sources use for it where one exists.

    GS1 forms are told apart by what follows the serial number: the goods themselves are not named in a code.
    """

    GS1_44 = "gs1_44"  #: 91 + 4, 92 + 44: clothes, perfume, tyres, cameras, medicines
    GS1_88 = "gs1_88"  #: 91 + 4, 92 + 88: shoes
    GS1_4 = "gs1_4"  #: 93 + 4: water, dairy, beer, juice, supplements
    GS1M = "gs1m"  #: a verification part in another layout than these: passed on as it is
    MEDICINE = "medicine"  #: as GS1_44 with lot (10) or dates (17) beside
    TOBACCO_PACK = "tobacco_pack"  #: 29 characters without element ids
    TOBACCO_BLOCK = "tobacco_block"  #: 8005 with the maximum price of a pack
    SHORT = "short"  #: 01 + GTIN + 21 + serial number, no verification part
    GTIN = "gs10"  #: GS1 without a serial number: names the goods, not the piece
    FUR = "fur"
    EGAIS_2 = "egais20"
    EGAIS_3 = "egais30"
    EAN_8 = "ean8"
    EAN_13 = "ean13"
    ITF_14 = "itf14"
    FUEL = "fuel"  #: only tag 1162 knows it (45 41)
    F1 = "f1"
    F2 = "f2"
    F3 = "f3"
    F4 = "f4"
    F5 = "f5"
    F6 = "f6"
    UNKNOWN = "unknown"

    @property
    def is_gs1(self) -> bool:
        """Whether it is written with element ids."""
        return self in _GS1


_GS1 = frozenset({MarkKind.GS1_44, MarkKind.GS1_88, MarkKind.GS1_4, MarkKind.GS1M, MarkKind.MEDICINE,
                  MarkKind.TOBACCO_BLOCK, MarkKind.SHORT, MarkKind.GTIN})


@dataclass(frozen=True, slots=True)
class Mark:
    """A code that was read. Empty strings mean "this form has none" or "could not be told".

    ``raw`` is what came; ``code`` is the code as tag 2000 wants it, prefixes off, separators in place.
    ``wrong`` is what forbids using it in any format (see also :meth:`problems`), ``notes`` what was mended on the
    way and should be said. ``gtin`` has fourteen digits and may have a wrong check digit only when ``wrong`` says so.
    """

    raw: str
    code: str
    kind: MarkKind
    gtin: str = ""
    serial: str = ""
    #: Maximum retail price as it is written: four characters of a pack, six digits of a block.
    mrc: str = ""
    #: Id of the key of verification, 91.
    key: str = ""
    #: The verification part: 92, 93, or the last four characters of a pack.
    crypto: str = ""
    #: Fields beside those above, by element id: ``(("17", "271231"), ("10", "LOT7"))``.
    others: tuple[tuple[str, str], ...] = ()
    #: The kind that the source stated, when it stated one: it chooses the tag inside 1163.
    said: MarkKind | None = None
    wrong: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()

    @property
    def max_price(self) -> Money | None:
        """The maximum retail price of tobacco, in kopecks; None when the code bears none or an unreadable one."""
        if self.kind is MarkKind.TOBACCO_BLOCK and self.mrc.isascii() and self.mrc.isdigit():
            return Money(int(self.mrc))
        if self.kind is not MarkKind.TOBACCO_PACK or len(self.mrc) != 4:
            return None
        kopecks = 0
        for letter in self.mrc:
            place = PRICE_LETTERS.find(letter)
            if place < 0:
                return None
            kopecks = kopecks * len(PRICE_LETTERS) + place
        return Money(kopecks)

    @property
    def shown(self) -> str:
        """What a person may see of it: GTIN and serial number, never the verification part (point-of-sale §1.3)."""
        if self.gtin:
            return f"{self.gtin} {self.serial}".strip()
        return self.serial or "".join(one if one.isprintable() else " " for one in self.code[:40])

    @property
    def code_type(self) -> int:
        """Tag 2100: 0 not recognised, 1 short, 2 tail of 88, 4 of 44, 5 of 4 characters.

        3 (44 characters that the storage cannot check) looks like 4 from outside; a register decides itself [?].
        """
        return {MarkKind.TOBACCO_PACK: 1, MarkKind.GS1_88: 2, MarkKind.GS1_44: 4, MarkKind.MEDICINE: 4,
                MarkKind.GS1_4: 5, MarkKind.TOBACCO_BLOCK: 5}.get(self.kind, 0)

    def problems(self, ffd: Ffd) -> tuple[Problem, ...]:
        """What forbids selling it in that format: ``wrong``, and in FFD 1.2 a code without its verification part."""
        verified = self.kind.is_gs1 or self.kind is MarkKind.TOBACCO_PACK
        if ffd is Ffd.V1_2 and verified and not self.crypto and not self.wrong:
            return (Problem("marking_short", "marking", {"code": self.shown}),)
        return self.wrong


#: Digits of the number system in which a pack of tobacco writes its price in kopecks, most significant first.
PRICE_LETTERS = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                 "!\"%&'*+-./_,:;=<>?")
#: Characters of GS1 that a field may hold.
GS1_LETTERS = frozenset(PRICE_LETTERS + "()")


@dataclass(frozen=True, slots=True)
class Layout:
    """A GS1 code after 01 + 14 digits: serial number, then fields of fixed length, each after a separator.

    ``serials`` are the lengths a serial number is known to have in it: only with those is a code without separators
    cut by position. With its separators a serial number of any length up to 20 is taken.
    """

    kind: MarkKind
    serials: frozenset[int]
    tail: tuple[tuple[str, int], ...]

    @property
    def tail_length(self) -> int:
        return sum(len(ai) + length for ai, length in self.tail)


_ANY = frozenset(range(1, 21))
#: fiscal-domain §10. Tails of 44 and 88 leave no doubt where they begin, so any serial number may stand before them.
LAYOUTS = (
    Layout(MarkKind.GS1_44, _ANY, (("91", 4), ("92", 44))),
    Layout(MarkKind.GS1_88, _ANY, (("91", 4), ("92", 88))),
    Layout(MarkKind.TOBACCO_BLOCK, frozenset({7}), (("8005", 6), ("93", 4))),
    Layout(MarkKind.TOBACCO_BLOCK, frozenset({7}), (("8005", 6),)),
    Layout(MarkKind.GS1_4, frozenset(range(6, 14)), (("93", 4),)),
    Layout(MarkKind.SHORT, frozenset({*range(6, 14), 20}), ()),
)


def gtin_is_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it: weights 3, 1, 3 … from the right (GS1)."""
    if not (digits.isascii() and digits.isdigit()):
        return False
    return sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits))) % 10 == 0


__all__ = ["GS", "GS1_LETTERS", "LAYOUTS", "LONGEST_CODE", "LONGEST_INPUT", "PRICE_LETTERS", "Layout", "Mark",
           "MarkKind", "gtin_is_valid"]
