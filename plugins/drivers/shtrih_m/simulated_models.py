"""Models that the simulator plays: what they answer to FCh and F7h, and what they can (reference §7)."""

from __future__ import annotations

from dataclasses import dataclass

#: Bits of the F7h flags.
CUTTER, NON_FISCAL, CASHCORE, PROTOCOL_2, LAST_PRINT, ERROR_TEXT = 13, 22, 23, 28, 34, 36
STORAGE, STORAGE_11, CORRECTIONS, EXTENDED_ERRORS = 43, 47, 48, 54
CLOSES = {0x45: 6, 0x76: 10, 0x78: 12, 0x7B: 12}


def bits(*numbers: int) -> bytes:
    """A field of flags."""
    return sum(1 << number for number in numbers).to_bytes(8, "little")


@dataclass(frozen=True, slots=True)
class Model:
    """One model. ``closes``: which of FF45, FF76, FF78, FF7B it knows; ``groups``: VAT groups of its firmware;
    ``new``: whether it knows the FF commands at all. ``accrual_field``: what F7h says is the field of tax accrual in
    table 1, which on captured registers is not where it stands (§7)."""

    name: str
    number: int
    flags: bytes
    closes: tuple[int, ...] = (0x45, 0x76, 0x78)
    groups: int = 12
    new: bool = True
    accrual_field: int = 14

    def can(self, bit: int) -> bool:
        """A bit of the flags."""
        return bool(int.from_bytes(self.flags, "little") >> bit & 1)

    @property
    def cashcore(self) -> bool:
        """Whether tags of a line come before the line."""
        return self.can(CASHCORE)

    @property
    def version_at(self) -> tuple[int, int]:
        """Table and field of the FFD version."""
        return (10, 29) if self.cashcore else (17, 17)


MODELS = {
    # The name is one that pyshtrih finds; flags of a desktop register with everything the reference describes.
    "shtrih-m": Model("ШТРИХ-М-01Ф", 252, bits(CUTTER, NON_FISCAL, PROTOCOL_2, ERROR_TEXT, STORAGE, STORAGE_11,
                                               CORRECTIONS)),
    # Flags as captured from real registers.
    "light": Model("ШТРИХ-ЛАЙТ-02Ф", 248, bytes.fromhex("5AA0400320EC3100"), accrual_field=6),
    "nano": Model("ШТРИХ-НАНО-Ф", 29, bytes.fromhex("0800401320EC0100"), accrual_field=6),
    "cashcore": Model("ШТРИХ-СМАРТПОС-Ф", 45, bits(NON_FISCAL, CASHCORE, LAST_PRINT, ERROR_TEXT, STORAGE, STORAGE_11,
                                                  CORRECTIONS), (0x45, 0x76, 0x7B)),
    "extended": Model("ШТРИХ-М-02Ф", 239, bits(CUTTER, NON_FISCAL, PROTOCOL_2, LAST_PRINT, ERROR_TEXT, STORAGE,
                                               STORAGE_11, CORRECTIONS, EXTENDED_ERRORS)),
    "old-firmware": Model("ШТРИХ-М-01Ф", 252, bits(CUTTER, ERROR_TEXT, STORAGE), (0x45,), 6),
}


def parameters(model: Model) -> bytes:
    """The answer to F7 01, from the flags on."""
    table, field = model.version_at
    return (model.flags + bytes((12, 24, 1, 12, 14, 16, 16)) + b"\0\0\0\0" + (30).to_bytes(4, "little")
            + bytes((0, model.accrual_field)) + (0).to_bytes(2, "little") + bytes((40,))
            + bytes((0x40,)) + (0x03B6).to_bytes(2, "little") + bytes((18, 19, 24, table, field, 25)))


def device_type(model: Model) -> bytes:
    """The answer to FCh behind its code."""
    return bytes((0, 0, 1, 14, model.number, 0)) + model.name.encode("cp1251")
