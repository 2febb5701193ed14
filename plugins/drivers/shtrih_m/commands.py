"""Commands as bytes: code, password, fields. Integers are little-endian, money has five bytes, names are CP1251.

Layouts: reference "Base commands" and "FN commands"; the tax byte and the pitfalls of operation codes: "FF46".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from struct import Struct

from hub.fiscal import Kind

#: Seconds that an answer may take (reference "Command timeouts"). The longest must be within what the lease of a
#: register allows for one command; a register that needs longer is waited for in ``settle``.
ORDINARY, STATE, PRINT, REPORT, SHIFT, CLOSE, CHECK, LONGEST = 10.0, 3.0, 15.0, 40.0, 40.0, 30.0, 40.0, 45.0

#: "Not given" of FF46's sums: the register multiplies, or computes the VAT, by itself.
UNSAID = 0xFFFFFFFFFF
LARGEST_MONEY = 9_999_999_999
#: Bytes of TLV that fit into FF0C and FF4D; longer ones go through the buffer (FF32, FF33, FF64).
LONGEST_TLV = 250
#: Bytes of a block of FF33.
BLOCK = 128
NAME = 128

_MONEY_MAX = 1 << 40
_U32 = Struct("<I")
#: Kind -> type of 8Dh. Not the numbers of FF46, which are those of tag 1054.
OPEN_TYPES = {Kind.SALE: 0, Kind.PURCHASE: 1, Kind.SALE_RETURN: 2, Kind.PURCHASE_RETURN: 3}
#: Added to the type for a correction receipt of FFD 1.1 and 1.2.
CORRECTION = 0x80


def money(amount: int) -> bytes:
    """Five bytes of kopecks. ValueError when they do not fit."""
    if not 0 <= amount < _MONEY_MAX:
        raise ValueError(f"{amount} kopecks do not fit into five bytes")
    return amount.to_bytes(5, "little")


def password(number: int) -> bytes:
    """Four bytes; a binary number, not digits."""
    return _U32.pack(number)


def name(text: str, most: int = NAME) -> bytes:
    """A text in CP1251, cut to ``most`` bytes."""
    return text.encode("cp1251", "replace")[:most]


# -- what asks and changes nothing -----------------------------------------------------------------------------------

DEVICE_TYPE = b"\xfc"
PARAMETERS = b"\xf7\x01"
ERROR_TEXT = b"\x6b"


def short_state(pw: bytes) -> bytes:
    return b"\x10" + pw


def full_state(pw: bytes) -> bytes:
    return b"\x11" + pw


def cash_register(pw: bytes, number: int) -> bytes:
    """Money register; one byte of number below 256, two above (newer models)."""
    return b"\x1a" + pw + (bytes((number,)) if number < 256 else number.to_bytes(2, "little"))


def operation_register(pw: bytes, number: int) -> bytes:
    return b"\x1b" + pw + bytes((number,))


def read_table(pw: bytes, table: int, row: int, field: int) -> bytes:
    return b"\x1f" + pw + bytes((table,)) + row.to_bytes(2, "little") + bytes((field,))


def field_structure(pw: bytes, table: int, field: int) -> bytes:
    return b"\x2e" + pw + bytes((table, field))


def subtotal(pw: bytes) -> bytes:
    return b"\x89" + pw


def storage(code: int, pw: bytes, data: bytes = b"") -> bytes:
    """A command of the fiscal storage: FF01 status, FF03 expiry, FF09 registration, FF39 exchange, FF40 shift ..."""
    return bytes((0xFF, code)) + pw + data


def find_document(pw: bytes, number: int) -> bytes:
    return storage(0x0A, pw, _U32.pack(number))


def start_tlv(pw: bytes, number: int) -> bytes:
    """FF3A. Until FF3B has been read to its end a desktop model sits in mode 1."""
    return storage(0x3A, pw, _U32.pack(number))


def next_tlv(pw: bytes) -> bytes:
    return storage(0x3B, pw)


# -- what changes the register ---------------------------------------------------------------------------------------


def write_table(pw: bytes, table: int, row: int, field: int, value: bytes) -> bytes:
    return b"\x1e" + pw + bytes((table,)) + row.to_bytes(2, "little") + bytes((field,)) + value


def set_time(pw: bytes, moment: datetime) -> bytes:
    return b"\x21" + pw + bytes((moment.hour, moment.minute, moment.second))


def set_date(pw: bytes, moment: datetime) -> bytes:
    """22h: DD MM YY, while the storage's dates are YY MM DD."""
    return b"\x22" + pw + bytes((moment.day, moment.month, moment.year % 100))


def confirm_date(pw: bytes, moment: datetime) -> bytes:
    return b"\x23" + pw + bytes((moment.day, moment.month, moment.year % 100))


def cut(pw: bytes, partial: bool) -> bytes:
    return b"\x25" + pw + bytes((partial,))


def open_drawer(pw: bytes) -> bytes:
    return b"\x28" + pw + b"\x00"


def x_report(pw: bytes) -> bytes:
    return b"\x40" + pw


def z_report(pw: bytes) -> bytes:
    return b"\x41" + pw


def cash_in(pw: bytes, amount: int) -> bytes:
    return b"\x50" + pw + money(amount)


def cash_out(pw: bytes, amount: int) -> bytes:
    return b"\x51" + pw + money(amount)


def cancel_receipt(pw: bytes) -> bytes:
    return b"\x88" + pw


def copy_last(pw: bytes) -> bytes:
    return b"\x8c" + pw


def open_receipt(pw: bytes, kind: Kind, correction: bool) -> bytes:
    return b"\x8d" + pw + bytes((OPEN_TYPES[kind] + (CORRECTION if correction else 0),))


def continue_print(pw: bytes) -> bytes:
    return b"\xb0" + pw


def open_shift(pw: bytes) -> bytes:
    return b"\xe0" + pw


def cancel_in_storage(pw: bytes) -> bytes:
    return storage(0x08, pw)


def send_tlv(pw: bytes, tlv: bytes) -> bytes:
    """FF0C: a tag of the document that is open."""
    return storage(0x0C, pw, tlv)


def send_item_tlv(pw: bytes, tlv: bytes) -> bytes:
    """FF4D: a tag of the operation."""
    return storage(0x4D, pw, tlv)


def start_buffer(pw: bytes, size: int) -> bytes:
    return storage(0x32, pw, size.to_bytes(2, "little"))


def write_buffer(pw: bytes, offset: int, block: bytes) -> bytes:
    return storage(0x33, pw, offset.to_bytes(2, "little") + bytes((len(block),)) + block)


def send_buffer(pw: bytes) -> bytes:
    return storage(0x64, pw)


def operation(pw: bytes, kind: Kind, millionths: int, price: int, total: int, vat_sum: int, tax: int, department: int,
              method: int, subject: int, text: str) -> bytes:
    """FF46. The operation's number is that of tag 1054 (return 2, purchase 3), unlike the type of 8Dh."""
    return storage(0x46, pw, bytes((kind.value,)) + millionths.to_bytes(6, "little") + money(price) + money(total)
                   + money(vat_sum) + bytes((tax, department, method, subject)) + name(text))


def tax_byte(group: int, tenth: int = 0x90) -> int:
    """The tax byte of a VAT group 1..12. ``tenth`` is that of group 10: the vendor's table says 90h, the pattern of
    its neighbours would be 88h, and no capture tells."""
    if 1 <= group <= 6:
        return 1 << (group - 1)
    if 7 <= group <= 9:
        return 0x80 | 1 << (group - 7)
    if group == 10:
        return tenth
    if 11 <= group <= 16:
        return 0xC0 + group
    raise ValueError(f"{group} is no VAT group")


#: Closing commands: code -> how many VAT sums they take.
CLOSES = {0x45: 6, 0x76: 10, 0x78: 12, 0x7B: 12}


def close(code: int, pw: bytes, payments: Sequence[int], taxes: Sequence[int], tax_system: int,
          text: str = "") -> bytes:
    """FF45 and its younger brothers: sixteen payments, rounding 0, as many VAT sums as the code takes."""
    sums = b"".join(money(taxes[index] if index < len(taxes) else 0) for index in range(CLOSES[code]))
    return storage(code, pw, b"".join(money(one) for one in payments) + b"\x00" + sums + bytes((tax_system,))
                   + name(text, 64))


def correction(pw: bytes, kind_of: int, sign: int, total: int, payments: Sequence[int], taxes: Sequence[int],
               tax_system: int) -> bytes:
    """FF4A: a correction receipt of FFD 1.05, without lines."""
    return storage(0x4A, pw, bytes((kind_of, sign)) + money(total) + b"".join(money(one) for one in payments)
                   + b"".join(money(one) for one in taxes) + bytes((tax_system,)))


def check_code(pw: bytes, status: int, code: bytes, tlv: bytes) -> bytes:
    """FF61: asks the storage and the marking system about a code."""
    return storage(0x61, pw, bytes((status, 0, len(code), len(tlv))) + code + tlv)


def decide_code(pw: bytes, decision: int) -> bytes:
    """FF69: 0 reject, 1 accept, 2 clear the buffer."""
    return storage(0x69, pw, bytes((decision,)))


def bind_code(pw: bytes, code: bytes) -> bytes:
    """FF67: the code belongs to the operation."""
    return storage(0x67, pw, bytes((len(code),)) + code)
