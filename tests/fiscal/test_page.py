"""docs/fiscal.md is made of the tables of the code: kinds, tags, rules, with examples from tests/receipts.

    python -m tests.fiscal.test_page          # writes the tables anew
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from hub.fiscal import Country, Receipt, document, fit, rules, rules_more, rules_sums, rules_texts, rules_who
from hub.fiscal.checking import judge
from hub.fiscal.codes import Ffd, Kind
from hub.fiscal.problems import SENTENCES
from hub.fiscal.rule import Rule
from hub.fiscal.tags import TAGS, TagInfo, Type
from tests.receipts import good

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "fiscal.md"
RECEIPTS = ROOT / "tests" / "receipts"
REGION = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)
FFD_LAW = "FNS order ED-7-20/662@"

#: Kind, law, tag, example, what to do, where enforced.
KINDS = (
    ("Sale (income)", "54-FZ art. 1.2, 4.7", "3 · 1054=1", "good-ru-105-sale-internet",
     "At the moment of settlement; in doubt see “Settlement over time” below", "`hub/fiscal/build.py`"),
    ("Sale return", "54-FZ art. 1.2, 4.7", "3 · 1054=2", "good-ru-105-sale-return-internet",
     "Return the receipt itself, so that lines, methods and rates follow it", "`hub/fiscal/returns.py`"),
    ("Purchase (outcome)", "54-FZ art. 1.2, 4.7", "3 · 1054=3", "good-ru-105-purchase-counter",
     "When money is given to a person for goods, scrap, prizes", "`hub/fiscal/build.py`"),
    ("Purchase return", "54-FZ art. 1.2, 4.7", "3 · 1054=4", "good-ru-105-purchase-return-counter",
     "When such a purchase is undone", "`hub/fiscal/returns.py`"),
    ("Correction of a sale, own decision", "54-FZ art. 4.3 p. 4", "31 · 1173=0", "good-ru-12-correction-sale-own",
     "For a receipt that was missed: before the inspector finds it", "`hub/fiscal/rules_more.py`"),
    ("Correction of a sale, by order", "54-FZ art. 4.3 p. 4", "31 · 1173=1", "good-ru-12-correction-sale-by-order",
     "Enter the order's number (1179)", "`hub/fiscal/rules_more.py`"),
    ("Correction of a sale return", FFD_LAW, "31 · 1054=2", "good-ru-12-correction-sale-return-own",
     "FFD 1.1 and 1.2: undoes a wrong receipt; then correct by a sale with the same 1178 and 1192",
     "`hub/fiscal/rules_more.py`"),
    ("Correction of a purchase", FFD_LAW, "31 · 1054=3", "good-ru-105-correction-purchase-own",
     "As for a sale", "`hub/fiscal/rules_more.py`"),
    ("Correction of a purchase return", FFD_LAW, "31 · 1054=4", "good-ru-12-correction-purchase-return-own",
     "FFD 1.1 and 1.2 only", "`hub/fiscal/rules_more.py`"),
    ("Sale, Kazakhstan", "Tax Code of Kazakhstan; webkassa §4", "OperationType 2", "good-kz-sale-vat16",
     "As in Russia; there are no methods and no corrections", "`hub/fiscal/build.py`"),
    ("Sale return, Kazakhstan", "Tax Code of Kazakhstan; webkassa §4", "OperationType 3", "good-kz-return-vat12",
     "Return the receipt itself: the register is told the original", "`hub/fiscal/returns.py`"),
    ("Purchase, Kazakhstan", "webkassa §4", "OperationType 0", "good-kz-purchase-none",
     "Only for registers of exchanges, scrap, pawnshops", "`hub/fiscal/build.py`"),
    ("Purchase return, Kazakhstan", "webkassa §4", "OperationType 1", "good-kz-purchase-return-none",
     "As a sale return", "`hub/fiscal/returns.py`"),
    ("Cash in", "register's own; webkassa §3", "none", "good-cash-in", "A sum above zero", "`hub/fiscal/rules.py`"),
    ("Cash out", "register's own; webkassa §3", "none", "good-cash-out", "Not more than the drawer holds",
     "`hub/fiscal/rules.py`"),
    ("Shift opened", "54-FZ art. 4.3 p. 2", "2", "", "Nothing: opened before the first receipt",
     "`hub/registers/shifts.py`"),
    ("X report", "register's own", "none", "", "Asks nothing of a receipt and closes nothing",
     "`hub/contracts/driver.py`"),
    ("Z report, shift closed", "54-FZ art. 4.3 p. 2", "5", "", "Nothing: closed before 24 hours are over",
     "`hub/registers/shifts.py`"),
)

#: Examples of what only a register writes.
SAMPLES = {
    1000: "Кассовый чек", 1009: "119021, Москва, ул. Тимура Фрунзе, 11", 1012: "20.11.2026 11:45",
    1013: "00106700000001", 1017: "7709364346", 1036: "1", 1037: "0001234567012345", 1038: "17", 1040: "345",
    1041: "9999078900001234", 1042: "3", 1046: "АО «ОФД»", 1060: "www.nalog.gov.ru", 1062: "3",
    1077: "31 04 2C FB 6A 5B", 1188: "1.0", 1208: "www.nalog.gov.ru", 1213: "400", 1290: "1", 1301: "46000001",
    1302: "4600000000015", 1303: "14600000000012", 1307: "RU-430301-AAA0000001", 2106: "15"}
OF_TYPE = {Type.BYTE: "1", Type.MASK: "1", Type.U16: "400", Type.U32: "17", Type.VLN: "150000", Type.FVLN: "1.5",
           Type.TIME: "20.11.2026 11:45", Type.STRING: "text", Type.BYTES: "00"}

BUILD = (ROOT / "hub" / "fiscal" / "build.py").read_text("utf-8") + (
    ROOT / "hub" / "fiscal" / "reckoning.py").read_text("utf-8")


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def file(name: str) -> str:
    return f"[{name}](../tests/receipts/{name}.json)" if name else "a register's report, no receipt"


def kinds() -> Iterator[str]:
    yield row("kind", "law or document", "document and tag", "example", "what to do", "where enforced")
    yield row(*["---"] * 6)
    for name, law, tag, example, do, where in KINDS:
        yield row(name, law, tag, file(example), do, where)


def written() -> dict[int, str]:
    """Each tag that a good receipt writes, with its first value."""
    seen: dict[int, str] = {}

    def walk(tags: Any) -> None:
        for tag, value in tags:
            if isinstance(value, tuple):
                walk(value)
                seen.setdefault(int(tag), "")
            else:
                seen.setdefault(int(tag), _shown(value))

    for _, _, body, _ in good.files():
        made = body.get("receipt")
        if isinstance(made, Receipt) and made.country is Country.RU:
            walk(document.tags_of(made))
    return seen


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return value[:8].hex(" ").upper() + (" …" if len(value) > 8 else "")
    if isinstance(value, (datetime, date)):
        return f"{value:%d.%m.%Y %H:%M}"
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Decimal):
        return f"{value:f}"
    text = "".join(one if one.isprintable() else "·" for one in str(value))
    return text if len(text) <= 40 else text[:39] + "…"


def tags() -> Iterator[str]:
    yield row("tag", "name", "type, bytes", "stands in", "law or document", "example", "what to do", "where enforced")
    yield row(*["---"] * 8)
    seen = written()
    for number, known in sorted(TAGS.items()):
        by = [rule.id for rule in rules.RULES if number in rule.tags]
        sample = seen.get(number) or SAMPLES.get(number) or OF_TYPE.get(known.type, "")
        example = f"`{sample}`" if sample else "holds " + ", ".join(map(str, sorted(known.children)))
        if by:
            do, where = "what the rule says", ", ".join(f"`{one}`" for one in by)
        elif number in seen:
            do, where = "nothing: the receipt's own value", "`hub/fiscal/document.py` writes it"
        else:
            do, where = "nothing: the register writes it", "the register; `hub/fiscal/tlv.py` reads it"
        yield row(number, f"{known.en} ({known.ru})", f"{known.type.value}, {known.most}", _stands(known),
                  _law(number), example, do, where)


def _stands(known: TagInfo) -> str:
    top = [one.name.lower() for one in sorted(known.places, key=lambda one: one.value)] if known.top else []
    return ", ".join([*top, *map(str, sorted(known.parents))])


def _law(number: int) -> str:
    if number in (1125, 1234, 1235, 1236, 1237, 1238, 1082):
        return "FNS order ED-7-20/236@"
    return f"{FFD_LAW}, 2025 edition" if number in (1115, 1119, 1120) else FFD_LAW


def examples() -> dict[str, str]:
    """Rule -> the first file that breaks only it."""
    found: dict[str, str] = {}
    for one in sorted(RECEIPTS.glob("broken-*.json"), key=lambda one: (len(one.stem), one.stem)):
        expect = json.loads(one.read_text("utf-8"))["expect"]
        if len(expect) == 1:
            found.setdefault(expect[0], one.stem)
    return found


def _holds(rule: Rule) -> str:
    said = []
    if len(rule.countries) < len(Country):
        said.append(", ".join(one.value for one in rule.countries))
    if len(rule.ffd) < len(Ffd):
        said.append("FFD " + ", ".join(one.value for one in rule.ffd))
    if len(rule.kinds) < len(Kind):
        said.append(", ".join(one.name.lower().replace("_", " ") for one in rule.kinds))
    if rule.correction is not None:
        said.append("corrections" if rule.correction else "no corrections")
    return "; ".join(said) or "all"


def table_of_rules() -> Iterator[str]:
    yield row("rule", "level", "holds for", "field", "law or document", "tag", "example", "what it says and what to do",
              "where enforced")
    yield row(*["---"] * 9)
    broken = examples()
    homes = {rule.id: home.__name__.rpartition(".")[2] for home in (rules_sums, rules_texts, rules_who, rules_more)
             for rule in home.RULES}
    for rule in rules.RULES:
        where = f"`hub/fiscal/{homes[rule.id]}.py`"
        if f'"{rule.id}"' in BUILD:
            where += ", and while an order is built"
        yield row(f"`{rule.id}`", rule.level, _holds(rule), f"`{rule.field}`", rule.law,
                  ", ".join(map(str, rule.tags)) or "none", file(broken[rule.id]), SENTENCES[rule.id].en, where)
    for id in rules.CASH_MOVE:
        yield row(f"`{id}`", "error", "cash in and out", "`amount`", "webkassa §3", "none", file(broken[id]),
                  SENTENCES[id].en, "`hub/fiscal/rules.py`")
    for id in fit.IDS:
        yield row(f"`{id}`", "error", "a receipt and a register", "`registration`", "54-FZ art. 4.2, 4.3",
                  {"fit_inn": "1018", "fit_tax_system": "1055, 1062", "fit_ffd": "1209, 1189", "fit_internet": "1108",
                   "fit_place": "1187", "fit_marking": "1290", "fit_agent": "1057, 1222"}.get(id, "none"),
                  file(broken[id]), SENTENCES[id].en, "`hub/fiscal/fit.py`; the claim in `hub/dispatch/claims.py`")


def of_orders() -> list[str]:
    """Ids of what is wrong before there is a receipt: every sentence that is no rule's."""
    return [id for id in SENTENCES if id not in {*rules.BY_ID, *rules.CASH_MOVE, *fit.IDS}]


def _told_in(id: str) -> str:
    """The files of the core that tell it; what none does is told by a source's plugin."""
    # A discount and a markup below zero are one place of the code.
    asked = 'f"{what}_negative"' if id in ("discount_negative", "markup_negative") else f'"{id}"'
    if id == "plugin":
        asked = 'Problem("plugin"'
    return ", ".join(f"`{path}`" for path, text in _core() if asked in text) or "a plugin, as it reads what it was sent"


@cache
def _core() -> tuple[tuple[str, str], ...]:
    return tuple((one.relative_to(ROOT).as_posix(), one.read_text("utf-8")) for one in sorted(
        (ROOT / "hub").rglob("*.py")) if not one.stem.startswith("problems"))


def table_of_orders() -> Iterator[str]:
    yield row("id", "example", "what it says and what to do", "where told")
    yield row(*["---"] * 4)
    broken = examples()
    for id in of_orders():
        says = SENTENCES[id].en if id != "plugin" else "what a plugin says in words of its own"
        yield row(f"`{id}`", file(broken[id]) if id in broken else "none: not seen in an order and its terms alone",
                  says, _told_in(id))


def _file(name: str) -> Any:
    data = json.loads((RECEIPTS / f"{name}.json").read_text("utf-8"))
    return {key: value for key, value in data.items() if key not in ("expect", "about")}


def example() -> Iterator[str]:
    yield "```json"
    yield json.dumps(_file("broken-order-sums-differ"), ensure_ascii=False, indent=1)
    yield "```"


def output() -> Iterator[str]:
    found = judge(_file("broken-order-sums-differ"), datetime(2026, 11, 20, tzinfo=UTC)).findings
    yield "```"
    yield "✗ order.json"
    for one in found:
        yield f"    ✗ {one.problem.field} ({one.problem.code}): {one.problem.text.say('en')}"
    yield "```"


REGIONS = {"kinds": kinds, "tags": tags, "rules": table_of_rules, "orders": table_of_orders, "example": example,
           "output": output}


def made(text: str) -> str:
    """The page with its tables as the code has them now."""
    return REGION.sub(lambda found: f"{found[1]}" + "".join(f"{one}\n" for one in REGIONS[found[2]]()) + found[3], text)


def test_the_tables_are_the_codes() -> None:
    text = PAGE.read_text("utf-8")
    assert {found[2] for found in REGION.finditer(text)} == set(REGIONS)
    assert text == made(text), "run: python -m tests.fiscal.test_page"


def test_there_is_a_row_for_each_kind_tag_and_rule() -> None:
    text = PAGE.read_text("utf-8")
    for number in TAGS:
        assert re.search(rf"^\| {number} \|", text, re.MULTILINE), number
    for id in (*rules.BY_ID, *rules.CASH_MOVE, *fit.IDS, *of_orders()):
        assert re.search(rf"^\| `{id}` \|", text, re.MULTILINE), id
    assert all((RECEIPTS / f"{one[3]}.json").exists() for one in KINDS if one[3])
    for line in text.splitlines():
        cells = line.replace("\\|", "").strip("|").split("|") if line.startswith("|") else []
        assert all(cell.strip() for cell in cells), line


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text("utf-8")), "utf-8")
