"""What a receipt or a line may say beyond goods and money: corrections, agents, properties, fractions.

Plain values with the tags that carry them (fiscal-domain §2). Empty means "not given"; what may stand where is
checked by :mod:`hub.fiscal.rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from hub.fiscal.codes import AgentSign, CorrectionType
from hub.fiscal.money import Money


@dataclass(frozen=True, slots=True)
class Correction:
    """Why a correction is made: tag 1173, and 1174 {1178, 1179, 1177}.

    ``day`` is the date of the settlement that is corrected, ``number`` that of the tax office's order (only with
    ``BY_ORDER``), ``description`` exists in FFD 1.05 only. ``fiscal_sign`` is the printed sign of the wrong receipt
    (tag 1192 of the correction), empty when a receipt was never made.
    """

    type: CorrectionType
    day: date
    number: str = ""
    description: str = ""
    fiscal_sign: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent's sign and data: tag 1057 of the document (FFD 1.05) or 1222 of a line, with 1223 {1073 ...}."""

    sign: AgentSign
    phones: tuple[str, ...] = ()
    operation: str = ""
    operator_phones: tuple[str, ...] = ()
    transfer_phones: tuple[str, ...] = ()
    transfer_name: str = ""
    transfer_address: str = ""
    transfer_inn: str = ""


@dataclass(frozen=True, slots=True)
class Supplier:
    """Whose goods an agent sells: tag 1226 (INN) and 1224 {1225 name, 1171 phones}."""

    inn: str = ""
    name: str = ""
    phones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IndustryProperty:
    """Tag 1260 of a line or 1261 of a receipt: {1262 body, 1263 date, 1264 number, 1265 value}.

    A permissive-mode check of a marking code travels in it (fiscal-domain §10).
    """

    body: str
    day: date
    number: str
    value: str


@dataclass(frozen=True, slots=True)
class OperationalProperty:
    """Tag 1270 {1271 id, 1272 data, 1273 time}."""

    id: int
    data: str
    at: datetime


@dataclass(frozen=True, slots=True)
class UserProperty:
    """Additional user property: tag 1084 {1085 name, 1086 value}."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Fraction:
    """Part of a marked package: tag 1291 {1292, 1293 numerator, 1294 denominator}."""

    numerator: int
    denominator: int

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}"


@dataclass(frozen=True, slots=True)
class CashlessDetail:
    """One cashless payment: tag 1235 {1082 sum, 1236 method 0-255, 1237 id, 1238 extra}, inside 1234."""

    amount: Money
    method: int
    id: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class BuyerDetails:
    """What FFD 1.2 knows of a buyer beside name and INN: tags 1243-1246 and 1254, inside 1256."""

    born: date | None = None
    citizenship: str = ""
    document_kind: str = ""
    document: str = ""
    address: str = ""


__all__ = ["Agent", "BuyerDetails", "CashlessDetail", "Correction", "Fraction", "IndustryProperty",
           "OperationalProperty", "Supplier", "UserProperty"]
