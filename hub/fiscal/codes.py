"""FFD tags and enumerations, each with its number (fiscal-domain §2-§3). The only place that knows them."""

from __future__ import annotations

from enum import Enum, IntEnum, StrEnum


class Country(StrEnum):
    """Whose fiscal law applies to an organisation."""

    RU = "RU"
    KZ = "KZ"

    @property
    def currency(self) -> str:
        return "KZT" if self is Country.KZ else "RUB"


class Ffd(StrEnum):
    """Format of fiscal documents (tag 1209)."""

    V1_05 = "1.05"
    V1_1 = "1.1"
    V1_2 = "1.2"


class Numbered(Enum):
    """An enumeration whose members are keys of many tables: each is one object, and hashed as one. Python's own hashes
    its name, in Python, at every look."""

    __hash__ = object.__hash__


class Kind(Numbered):
    """Kind of receipt; the value is the settlement sign, tag 1054."""

    SALE = 1
    SALE_RETURN = 2
    PURCHASE = 3
    PURCHASE_RETURN = 4

    @property
    def is_return(self) -> bool:
        return self in (Kind.SALE_RETURN, Kind.PURCHASE_RETURN)

    @property
    def opposite(self) -> Kind:
        """The return of this kind, or what this kind returns."""
        return {Kind.SALE: Kind.SALE_RETURN, Kind.SALE_RETURN: Kind.SALE,
                Kind.PURCHASE: Kind.PURCHASE_RETURN, Kind.PURCHASE_RETURN: Kind.PURCHASE}[self]

    @property
    def takes_money(self) -> bool:
        """Whether cash goes into the drawer."""
        return self in (Kind.SALE, Kind.PURCHASE_RETURN)


class TaxSystem(Numbered):
    """Tax system, tag 1055; the value is its bit, so registered systems (1062) are a sum of values."""

    OSN = 1
    USN_INCOME = 2
    USN_INCOME_EXPENSE = 4
    ENVD = 8
    ESHN = 16
    PATENT = 32


class Method(Numbered):
    """Payment method of a line, tag 1214."""

    FULL_PREPAYMENT = 1
    PREPAYMENT = 2
    ADVANCE = 3
    FULL_PAYMENT = 4
    PARTIAL_PAYMENT = 5
    CREDIT = 6
    CREDIT_PAYMENT = 7

    @property
    def calculated_vat(self) -> bool:
        """Prepayments take the calculated rate (22/122), fiscal-domain §3."""
        return self.value <= 3


class Subject(Numbered):
    """Payment object of a line, tag 1212. 30-33 only in FFD 1.2."""

    COMMODITY = 1
    EXCISE = 2
    JOB = 3
    SERVICE = 4
    GAMBLING_BET = 5
    GAMBLING_PRIZE = 6
    LOTTERY = 7
    LOTTERY_PRIZE = 8
    INTELLECTUAL_ACTIVITY = 9
    PAYMENT = 10
    AGENT_COMMISSION = 11
    COMPOSITE = 12
    ANOTHER = 13
    PROPERTY_RIGHT = 14
    NON_OPERATING_GAIN = 15
    OTHER_PAYMENTS = 16
    SALES_TAX = 17
    RESORT_FEE = 18
    DEPOSIT = 19
    EXPENSE = 20
    PENSION_INSURANCE_IP = 21
    PENSION_INSURANCE = 22
    MEDICAL_INSURANCE_IP = 23
    MEDICAL_INSURANCE = 24
    SOCIAL_INSURANCE = 25
    CASINO_PAYMENT = 26
    AGENT_PAYOUT = 27
    EXCISE_UNMARKED = 30
    EXCISE_MARKED = 31
    COMMODITY_UNMARKED = 32
    COMMODITY_MARKED = 33


class Form(Numbered):
    """Form of payment; the value is the tag that carries its sum."""

    CASH = 1031
    ELECTRONIC = 1081
    PREPAID = 1215
    CREDIT = 1216
    OTHER = 1217


class Rounding(StrEnum):
    """How an organisation rounds what the buyer pays (fiscal-domain §4; webkassa §4, arithmetic 1).

    ``DOWN`` takes the total down to whole roubles, ``POSITIONS`` each line and ``TOTAL`` the total to the nearest whole
    tenge, half away from zero.
    """

    NONE = "none"
    DOWN = "down"
    POSITIONS = "positions"
    TOTAL = "total"


class CorrectionType(Numbered):
    """Why a correction is made, tag 1173."""

    OWN = 0
    BY_ORDER = 1


class AgentSign(Numbered):
    """Agent's sign, tags 1057 and 1222; the value is its bit."""

    BANK_PAYING_AGENT = 1
    BANK_PAYING_SUBAGENT = 2
    PAYING_AGENT = 4
    PAYING_SUBAGENT = 8
    ATTORNEY = 16
    COMMISSION_AGENT = 32
    ANOTHER = 64


class PlannedStatus(Numbered):
    """What the sale makes of a marked item, tag 2003."""

    PIECE_SOLD = 1
    MEASURED_SOLD = 2
    PIECE_RETURNED = 3
    MEASURED_RETURNED = 4
    UNCHANGED = 255


class Measure(IntEnum):
    """Measure of quantity, tag 2108 (FFD 1.2)."""

    PIECE = 0
    GRAM = 10
    KILOGRAM = 11
    TONNE = 12
    CENTIMETRE = 20
    DECIMETRE = 21
    METRE = 22
    SQUARE_CENTIMETRE = 30
    SQUARE_DECIMETRE = 31
    SQUARE_METRE = 32
    MILLILITRE = 40
    LITRE = 41
    CUBIC_METRE = 42
    KILOWATT_HOUR = 50
    GIGACALORIE = 51
    DAY = 70
    HOUR = 71
    MINUTE = 72
    SECOND = 73
    KILOBYTE = 80
    MEGABYTE = 81
    GIGABYTE = 82
    TERABYTE = 83
    OTHER = 255


#: OKEI codes as CMS and CRM send them -> measure (fiscal-domain §3).
OKEI = {796: Measure.PIECE, 163: Measure.GRAM, 166: Measure.KILOGRAM, 168: Measure.TONNE, 4: Measure.CENTIMETRE,
        6: Measure.METRE, 55: Measure.SQUARE_METRE, 111: Measure.MILLILITRE, 112: Measure.LITRE,
        113: Measure.CUBIC_METRE, 356: Measure.HOUR, 359: Measure.DAY}


def measure_of_okei(code: object) -> Measure:
    """Measure for an OKEI code in any spelling; absent means piece, unknown means other."""
    text = str(code or "").strip()
    if not text:
        return Measure.PIECE
    return OKEI.get(int(text), Measure.OTHER) if text.isdigit() else Measure.OTHER


class Tag(IntEnum):
    """Tags that the code names; the whole table is fiscal-domain §2."""

    BUYER_CONTACT = 1008
    SETTLEMENT_ADDRESS = 1009
    TIME = 1012
    REGISTER_SERIAL = 1013
    USER_INN = 1018
    TOTAL = 1020
    CASHIER = 1021
    QUANTITY = 1023
    ITEM_NAME = 1030
    REGISTRATION_NUMBER = 1037
    SHIFT_NUMBER = 1038
    DOCUMENT_NUMBER = 1040
    STORAGE_NUMBER = 1041
    RECEIPT_IN_SHIFT = 1042
    ITEM_AMOUNT = 1043
    USER_NAME = 1048
    SETTLEMENT_SIGN = 1054
    TAX_SYSTEM = 1055
    ITEM = 1059
    TAX_SYSTEMS = 1062
    FISCAL_SIGN = 1077
    ITEM_PRICE = 1079
    SENDER_EMAIL = 1117
    ON_INTERNET = 1125
    SETTLEMENT_PLACE = 1187
    RECEIPT_PROPERTY = 1192
    VAT_RATE = 1199
    ITEM_VAT = 1200
    CASHIER_INN = 1203
    FFD_VERSION = 1209
    SUBJECT = 1212
    METHOD = 1214
    BUYER_NAME = 1227
    BUYER_INN = 1228
    MEASURE = 2108
    MARKING_CODE = 2000


#: Bytes a text tag may hold (fiscal-domain §2, column "Max"; CP866 is one byte a character).
LONGEST = {Tag.BUYER_CONTACT: 64, Tag.SETTLEMENT_ADDRESS: 256, Tag.CASHIER: 64, Tag.ITEM_NAME: 128,
           Tag.SETTLEMENT_PLACE: 256, Tag.SENDER_EMAIL: 64, Tag.USER_NAME: 256, Tag.BUYER_NAME: 256,
           Tag.BUYER_INN: 12, Tag.CASHIER_INN: 12, Tag.RECEIPT_PROPERTY: 16}
