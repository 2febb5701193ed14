"""TLV in the simulator's own words (reference §12): building the storage's documents, reading what the host sends."""

from __future__ import annotations

from collections.abc import Iterable

from hub_plugins.drivers.shtrih_m.simulated_errors import BAD_VALUE, TLV_TOO_LONG, Refusal

_QUOTES = str.maketrans({"«": '"', "»": '"', "—": "-", "–": "-"})
#: Bytes of TLV that one FF0C or FF4D takes; a whole value by FF64.
ONE_COMMAND, BUFFERED = 250, 4096

#: What FF0C takes: tag -> most bytes. An STLV's tags stand in :data:`NESTED`.
DOCUMENT_TAGS = {
    1005: 256, 1008: 64, 1009: 256, 1016: 12, 1021: 64, 1026: 64, 1036: 20, 1044: 24, 1057: 1, 1073: 19, 1074: 19,
    1075: 19, 1084: 320, 1117: 64, 1125: 1, 1171: 19, 1173: 1, 1174: 292, 1177: 256, 1178: 4, 1179: 32, 1187: 256,
    1192: 16, 1203: 12, 1227: 256, 1228: 12, 1234: 2048, 1256: 1024, 1261: 512, 1270: 144}
#: What FF4D takes.
ITEM_TAGS = {
    1162: 32, 1163: 256, 1171: 19, 1191: 64, 1197: 16, 1222: 1, 1223: 512, 1224: 512, 1225: 256, 1226: 12, 1229: 6,
    1230: 3, 1231: 32, 1260: 512, 1291: 52, 1293: 8, 1294: 8, 2102: 1, 2108: 1}
NESTED = {
    1084: {1085: 64, 1086: 256}, 1174: {1177: 256, 1178: 4, 1179: 32},
    1223: {1005: 256, 1016: 12, 1026: 64, 1044: 24, 1073: 19, 1074: 19, 1075: 19}, 1224: {1171: 19, 1225: 256},
    1234: {1235: 1024}, 1235: {1082: 6, 1236: 1, 1237: 256, 1238: 256},
    1256: {1227: 256, 1228: 12, 1243: 10, 1244: 3, 1245: 2, 1246: 64, 1254: 256},
    1260: {1262: 3, 1263: 10, 1264: 32, 1265: 256}, 1261: {1262: 3, 1263: 10, 1264: 32, 1265: 256},
    1270: {1271: 1, 1272: 64, 1273: 4}, 1291: {1292: 24, 1293: 8, 1294: 8}}
#: These are filled up with spaces: no other length is taken.
FIXED = {1016: 12, 1178: 4, 1203: 12, 1226: 12, 1228: 12, 1273: 4}
#: Tags that may stand several times.
MANY = {1073, 1074, 1075, 1171, 1235, 1260}


def tlv(tag: int, value: bytes) -> bytes:
    """One tag."""
    return tag.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value


def vln(tag: int, number: int) -> bytes:
    """A number in as few bytes as it needs, at least one."""
    return tlv(tag, number.to_bytes((number.bit_length() + 7) // 8 or 1, "little"))


def fixed(tag: int, number: int, size: int) -> bytes:
    """A number of so many bytes."""
    return tlv(tag, number.to_bytes(size, "little"))


def quantity(tag: int, millionths: int) -> bytes:
    """A quantity: how many decimals, then the digits."""
    places = 6
    while places and millionths % 10 == 0:
        millionths, places = millionths // 10, places - 1
    digits = millionths.to_bytes((millionths.bit_length() + 7) // 8 or 1, "little")
    return tlv(tag, bytes((places,)) + digits)


def text(tag: int, words: str, size: int = 0) -> bytes:
    """A text in CP866, filled up with spaces to ``size``."""
    return tlv(tag, words.translate(_QUOTES).encode("cp866", "replace").ljust(size))


def read(data: bytes, allowed: dict[int, int]) -> list[tuple[int, bytes]]:
    """The tags in ``data``. Refusal when it is no TLV, a tag may not stand there, or a value is too long for it."""
    found: list[tuple[int, bytes]] = []
    position = 0
    while position < len(data):
        if len(data) - position < 4:
            raise Refusal(BAD_VALUE)
        tag = int.from_bytes(data[position:position + 2], "little")
        size = int.from_bytes(data[position + 2:position + 4], "little")
        value = data[position + 4:position + 4 + size]
        position += 4 + size
        if len(value) != size or tag not in allowed or size != FIXED.get(tag, size):
            raise Refusal(BAD_VALUE)
        if size > allowed[tag]:
            raise Refusal(TLV_TOO_LONG)
        if tag in NESTED:
            read(value, NESTED[tag])
        found.append((tag, value))
    return found


def join(parts: Iterable[tuple[int, bytes]]) -> bytes:
    """Tags as bytes."""
    return b"".join(tlv(tag, value) for tag, value in parts)
