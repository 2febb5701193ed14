"""The school behind the simulator: its tables, and what ``index``, ``create``, ``update``, ``delete`` do to them.

Behaves as alfacrm.md §2 and §6 say. Where sources disagree or nothing is known, an :class:`Options` switch decides.
No HTTP here: that is ``simulator``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

#: Class names in webhooks and in the change log, by path segment (§3.4).
CLASSES = {"pay": "Pay", "customer": "Customer", "customer-tariff": "CustomerToTariff", "tariff": "Tariff",
           "subject": "Subject", "branch": "Branch", "location": "Location", "pay-account": "PayAccount",
           "pay-item": "PayItem", "pay-item-category": "PayItemCategory", "pay-type": "PayType", "user": "User",
           "teacher": "Teacher", "group": "Group", "room": "Room", "lesson": "Lesson",
           "regular-lesson": "RegularLesson", "lesson-type": "LessonType", "cgi": "Cgi", "discount": "Discount",
           "study-status": "StudyStatus", "lead-status": "LeadStatus", "lead-source": "LeadSource",
           "lead-reject": "LeadReject", "task": "Task", "communication": "Communication"}
ENTITIES = (*CLASSES, "log")
PEOPLE_USER, API_USER = 2, 7
MONEY = ("income", "expenditure", "bonus", "balance", "balance_base", "balance_bonus", "price")
FLAGS = ("is_confirmed", "is_fiscal", "is_active", "is_enabled", "is_separate_balance")
_MOSCOW = timedelta(hours=3)
Row = Mapping[str, Any]


@dataclass
class Options:
    """Switches of the other side, bad habits included; set by the action ``configure``."""

    webhook_url: str = ""
    webhook_entities: list[str] = field(default_factory=lambda: ["Pay"])
    webhook_shape: str = "2020"         # or "2018": no fields_rel
    webhook_branch: bool = True         # False: branch_id is missing
    duplicates: int = 0                 # extra copies of each webhook
    hold: bool = False                  # webhooks wait for the action release
    scatter: float = 0.0                # each copy goes out at some moment within so many seconds, in any order
    trips: bool = False                 # the first write to each payment over the API fails, before or after it is kept
    token_ttl: float = 3600.0
    login_status: int = 403
    app_key: str = ""                   # X-APP-KEY that every call must carry
    away: bool = False                  # the API answers nothing but 503
    rate: int = 4                       # requests per second, 0 for no limit
    retry_after: int = 0                # seconds in a 429's Retry-After, 0 for no such header
    forbidden: list[str] = field(default_factory=list)  # "pay", or one action of it: "pay/update"
    default_page: int = 20
    page_cap: int = 50
    page_sizes: str = "honour"          # or "ignore"
    repeat_last_page: bool = False
    shifting: bool = False              # a payment is added after each page of payments
    vanishing: int = 0                  # this payment is deleted after the next page of payments
    total: bool = True                  # False: answers carry no total
    dates: str = "dmy"                  # document_date in answers: dmy, iso, ymd
    flags: str = "numbers"              # or "booleans"
    tell_confirmed: bool = True         # False: rows do not say is_confirmed
    windows: str = "ignore"             # date filters in a wrong form: "ignore" or "refuse"; "deaf": in any form
    iso_writes: bool = True             # False: document_date must be DD.MM.YYYY
    shy_types: list[int] = field(default_factory=lambda: [5, 6])   # types that an unfiltered list hides
    shy_by_id: bool = False             # the same for a look-up by id
    custom_fields: list[str] = field(default_factory=lambda: ["custom_predmet", "custom_md_order"])
    unknown_custom: str = "drop"        # or "refuse"
    error_shape: str = "object"         # or "strings", "message"
    register: bool = False              # the built-in register integration prints by itself what is sent to it
    gone: str = "404"                   # or "refuse": an update of what does not exist


class Refusal(Exception):
    """``success: false`` with these messages, under HTTP 200."""

    def __init__(self, **errors: str) -> None:
        super().__init__(str(errors))
        self.errors = errors


class Missing(Exception):
    """404 of the framework."""


@dataclass
class Change:
    """A write as webhooks and the log tell it."""

    event: str
    entity: str
    id: int
    branch: int | None
    old: dict[str, Any]
    new: dict[str, Any]
    user: int
    at: datetime


def money(value: object) -> str:
    """``"575.00"``, as answers print sums."""
    return f"{Decimal(str(value).replace(' ', '').replace(',', '.')):.2f}"


def to_date(value: object, forms: Iterable[str]) -> date | None:
    """A date in one of the forms ``dmy`` (DD.MM.YYYY), ``iso``, ``ymd`` (YYYY.MM.DD)."""
    return _to_date(str(value), tuple(forms))


@lru_cache(maxsize=4096)
def _to_date(value: str, forms: tuple[str, ...]) -> date | None:
    shapes = {"dmy": "%d.%m.%Y", "iso": "%Y-%m-%d", "ymd": "%Y.%m.%d"}
    for one in forms:
        try:
            return datetime.strptime(value, shapes[one]).date()
        except ValueError:
            continue
    return None


class School:
    """Tables by path segment and id. Sums are kept as texts, dates as ISO; ``present`` gives the other side's mix."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.tables: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in ENTITIES}
        self.changes: list[Change] = []
        self.next_id = 731
        seed(self.tables)

    def now(self) -> datetime:
        """The school's wall clock (Moscow), without a zone, as everything over there."""
        return (datetime.now(UTC) + _MOSCOW).replace(tzinfo=None, microsecond=0)

    # -- index ---------------------------------------------------------------------------------------------------

    def index(self, entity: str, branch: int | None, body: Mapping[str, Any], query: Mapping[str, str]) \
            -> dict[str, Any]:
        """``{"total", "count", "page", "items"}`` (§2.1), filtered, hidden and paged as over there."""
        if branch and branch not in self.tables["branch"]:
            raise Missing
        number, table = _int(body.get("id")), self.tables[entity]
        candidates = ([table[number]] if number in table else []) if number else table.values()
        visible = self._filter(entity, body, query)
        rows = [row for row in candidates if _of_branch(row, branch) and visible(row)]
        rows.sort(key=lambda row: -row["id"])
        size, page = self._size(body, query), _int(body.get("page")) or 0
        last = max(0, (len(rows) - 1) // size)
        if self.options.repeat_last_page:
            page = min(page, last)
        shown = rows[page * size:(page + 1) * size]
        answer = {"total": len(rows), "count": len(shown), "page": page,
                  "items": [self.present(entity, row) for row in shown]}
        if not self.options.total:
            del answer["total"]
        if self.options.vanishing and entity == "pay" and shown:
            self.tables["pay"].pop(self.options.vanishing, None)
            self.options.vanishing = 0
        if self.options.shifting and entity == "pay" and shown:
            self.add_pay({**shown[0], "note": "shift"})
        return answer

    def _size(self, body: Mapping[str, Any], query: Mapping[str, str]) -> int:
        asked = next((number for number in (_int(query.get("per-page")), _int(body.get("pageSize")),
                                            _int(body.get("count")), _int(body.get("per-page"))) if number), None)
        if self.options.page_sizes == "ignore" or asked is None:
            return self.options.default_page
        return max(1, min(asked, self.options.page_cap))

    def _filter(self, entity: str, body: Mapping[str, Any], query: Mapping[str, str]) -> Callable[[Row], bool]:
        """What tells the rows that are asked for; a school has tens of thousands of payments."""
        if entity == "pay":
            return self._pay_filter(body)
        if entity == "customer":
            return lambda row: _customer_visible(row, body)
        if entity == "customer-tariff":
            wanted = _int(query.get("customer_id")) or _int(body.get("customer_id"))
            equal = _equal(body, ("tariff_id", "is_separate_balance"))
            return lambda row: (not wanted or row["customer_id"] == wanted) and all(
                row.get(name) == value for name, value in equal)
        if entity == "log":
            said = [(name, str(body[name])) for name in ("entity", "entity_id", "user_id", "event")
                    if body.get(name) not in (None, "")]
            return lambda row: all(str(row[name]) == value for name, value in said)
        active = entity == "subject" and body.get("active")
        return lambda row: not (active and not row.get("is_active", 1))

    def _pay_filter(self, body: Mapping[str, Any]) -> Callable[[Row], bool]:
        hides = not _int(body.get("id")) or self.options.shy_by_id
        shy = self.options.shy_types if hides and not body.get("pay_type_id") else ()
        equal = _equal(body, ("customer_id", "pay_type_id", "pay_item_id", "pay_account_id", "location_id",
                              "commodity_id", "is_confirmed", "is_fiscal"))
        words = [(name, str(body[name]).lower()) for name in ("payer_name", "note") if body.get(name)]
        least, most = (Decimal(str(body[name])) if body.get(name) else None for name in ("sum_from", "sum_to"))
        spans = [(f"_{name}", self._day(body, f"{name}_at_from"), self._day(body, f"{name}_at_to"))
                 for name in ("created", "updated")]
        since, until = self._bound("date_from", body), self._bound("date_to", body)

        def visible(row: Row) -> bool:
            if row["pay_type_id"] in shy or any((row.get(name) or 0) != value for name, value in equal):
                return False
            if any(one not in str(row.get(name) or "").lower() for name, one in words):
                return False
            if (least is not None and Decimal(row["income"]) < least) or (
                    most is not None and Decimal(row["income"]) > most):
                return False
            if any((first and row[name] < first) or (last and row[name] > last) for name, first, last in spans):
                return False
            if since is None and until is None:
                return True
            dated = to_date(row["document_date"], ["iso"])
            return dated is None or ((since is None or since <= dated) and (until is None or dated <= until))

        return visible

    @staticmethod
    def _day(body: Mapping[str, Any], name: str) -> str | None:
        found = to_date(body.get(name), ["dmy"])
        return found.isoformat() if found else None

    def _bound(self, name: str, body: Mapping[str, Any]) -> date | None:
        given = body.get(name)
        if given in (None, "") or self.options.windows == "deaf":
            return None
        found = to_date(given, ["ymd"])
        if found is None and self.options.windows == "refuse":
            raise Refusal(**{name: "Неверный формат значения «Дата»."})
        return found

    def present(self, entity: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row as an answer shows it: sums as texts, ids as numbers, flags and dates by the switches."""
        shown = {name: value for name, value in row.items() if not name.startswith("_")}
        for name in FLAGS:
            if name in shown and self.options.flags == "booleans":
                shown[name] = bool(shown[name])
        if entity == "pay":
            dated = to_date(shown["document_date"], ["iso"])
            shape = {"dmy": "%d.%m.%Y", "iso": "%Y-%m-%d", "ymd": "%Y.%m.%d"}[self.options.dates]
            shown["document_date"] = dated.strftime(shape) if dated else shown["document_date"]
            if not self.options.tell_confirmed:
                del shown["is_confirmed"]
            for name in self.options.custom_fields:
                shown.setdefault(name, "")
        return shown

    # -- writes --------------------------------------------------------------------------------------------------

    def create(self, entity: str, branch: int | None, body: Mapping[str, Any], user: int) -> dict[str, Any]:
        """A new record; the answer's ``model``. Raises :class:`Refusal`."""
        if entity == "pay":
            fields = self._pay_fields(branch, body, new=True)
            row = self.add_pay({"branch_id": branch, **fields})
        else:
            row = {**body, "id": max([0, *self.tables[entity]]) + 1}
            self.tables[entity][row["id"]] = row
        self._changed("create", entity, row, {}, dict(row), user)
        return self.present(entity, row)

    def update(self, entity: str, branch: int | None, number: int, body: Mapping[str, Any], user: int) \
            -> dict[str, Any]:
        """Changes the given fields. Raises :class:`Missing` or :class:`Refusal`."""
        row = self._row(entity, branch, number)
        fields = self._pay_fields(row["branch_id"], body, new=False) if entity == "pay" else dict(body)
        fields.pop("id", None)
        old = {name: row.get(name, "") for name, value in fields.items() if row.get(name, "") != value}
        row.update(fields)
        if entity == "pay":
            row["_updated"] = self.now().date().isoformat()
        if old:
            self._changed("update", entity, row, old, {name: row[name] for name in old}, user)
        return self.present(entity, row)

    def fiscal_sell(self, branch: int | None, number: int, form: int | None, user: int) -> dict[str, Any]:
        """Hands a payment to the built-in register (§4.5): form 1 electronic, 2 cash. Its column «ККТ» says «В очереди»
        from then on; where the integration is on, the payment counts as fiscal."""
        row = self._row("pay", branch, number)
        if form not in (1, 2):
            raise Refusal(type="Необходимо выбрать «Наличные» или «Электронно».")
        row["_kkt"] = "В очереди"
        return self.update("pay", branch, number, {"is_fiscal": 1}, user) if self.options.register \
            else self.present("pay", row)

    def delete(self, entity: str, branch: int | None, number: int, user: int) -> None:
        """Raises :class:`Missing`."""
        row = self._row(entity, branch, number)
        del self.tables[entity][number]
        self._changed("delete", entity, row, {}, {}, user)

    def _row(self, entity: str, branch: int | None, number: int) -> dict[str, Any]:
        row = self.tables[entity].get(number)
        if row is None or (branch and row.get("branch_id", branch) != branch):
            if self.options.gone == "refuse":
                raise Refusal(id="Запись не найдена.")
            raise Missing
        return row

    def add_pay(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Puts a payment in without checks and without telling anybody."""
        row = {"branch_id": 1, "location_id": 1, "customer_id": None, "document_date": self.now().date().isoformat(),
               "income": "0.00", "expenditure": "0.00", "bonus": "0.00", "payer_name": "", "note": "",
               "pay_type_id": 1, "pay_account_id": 2, "pay_item_id": 1, "commodity_id": None, "ctt_id": None,
               "teacher_id": None, "is_confirmed": 1, "is_fiscal": 0, **fields, "id": self.next_id}
        row["_created"] = row["_updated"] = self.now().date().isoformat()
        self.next_id += 1
        self.tables["pay"][row["id"]] = row
        return row

    def _pay_fields(self, branch: int | None, body: Mapping[str, Any], new: bool) -> dict[str, Any]:
        """The fields of a payment as they are kept; everything §6 item 5 refuses is refused."""
        fields, errors = dict(body), {}
        due = "expenditure" if _int(body.get("pay_type_id")) == 5 else "income"
        for name in ("customer_id", "pay_type_id", due):
            if new and body.get(name) in (None, ""):
                errors[name] = "Необходимо заполнить поле."
        for name, value in body.items():
            if name in MONEY and value not in (None, ""):
                try:
                    fields[name] = money(value)
                except InvalidOperation:
                    errors[name] = "Значение должно быть числом."
            elif name in FLAGS:
                fields[name] = int(str(value).lower() in ("1", "true"))
            elif name.endswith("_id") and value not in (None, ""):
                fields[name] = _int(value)
            elif name.startswith("custom_") and name not in self.options.custom_fields:
                del fields[name]
                if self.options.unknown_custom == "refuse":
                    errors[name] = "Неизвестное поле."
        if "document_date" in body:
            dated = to_date(body["document_date"], ["dmy", "iso"] if self.options.iso_writes else ["dmy"])
            if dated is None:
                errors["document_date"] = "Неверный формат значения «Дата»."
            else:
                fields["document_date"] = dated.isoformat()
        for name, table in (("pay_account_id", "pay-account"), ("location_id", "location"),
                            ("pay_item_id", "pay-item")):
            if body.get(name) and not self._belongs(self.tables[table].get(_int(body[name]) or 0), branch):
                errors[name] = "Значение из другого филиала."
        if errors:
            raise Refusal(**errors)
        return fields

    @staticmethod
    def _belongs(row: Mapping[str, Any] | None, branch: int | None) -> bool:
        owners = [] if row is None else [row["branch_id"]] if "branch_id" in row else row.get("branch_ids", [])
        return row is not None and (branch is None or not owners or branch in owners)

    def _changed(self, event: str, entity: str, row: Mapping[str, Any], old: dict[str, Any], new: dict[str, Any],
                 user: int) -> None:
        if entity == "log":
            return
        change = Change(event, CLASSES[entity], row["id"], row.get("branch_id"), old, new, user, self.now())
        self.changes.append(change)
        number = len(self.tables["log"]) + 1
        self.tables["log"][number] = {
            "id": number, "entity": change.entity, "entity_id": change.id, "user_id": user,
            "event": {"create": 1, "update": 2, "delete": 3}[event], "fields_old": old or [],
            "fields_new": json.dumps(new, ensure_ascii=False) if event == "update" else new or [],
            "fields_rel": [], "date_time": f"{change.at:%Y-%m-%d %H:%M:%S}"}


def _of_branch(row: Row, branch: int | None) -> bool:
    if not branch:
        return True
    return not ("branch_id" in row and row["branch_id"] != branch) and not (
        row.get("branch_ids") and branch not in row["branch_ids"])


def _equal(body: Mapping[str, Any], names: Iterable[str]) -> list[tuple[str, int | None]]:
    """The numbers that a filter states."""
    return [(name, _int(body[name])) for name in names if body.get(name) not in (None, "")]


def _customer_visible(row: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """Archived cards and leads are hidden unless they are asked for (§2.7)."""
    archived, removed = bool(row.get("_removed")), _int(body.get("removed")) or 0
    if (removed == 0 and archived) or (removed == 2 and not archived):
        return False
    study = _int(body.get("is_study"))
    if row["is_study"] != (1 if study is None else study):
        return False
    if body.get("name") and str(body["name"]).lower() not in row["name"].lower():
        return False
    if body.get("phone"):
        wanted = re.sub(r"\D", "", str(body["phone"]))
        return any(re.sub(r"\D", "", one) == wanted for one in row["phone"])
    return True


def _int(value: object) -> int | None:
    try:
        return int(str(value))
    except ValueError:
        return {"True": 1, "False": 0}.get(str(value))


def seed(tables: dict[str, dict[int, dict[str, Any]]]) -> None:
    """A small school: two branches, clients and a lead, one archived card, subscriptions. All names invented."""
    def put(entity: str, *rows: dict[str, Any]) -> None:
        tables[entity].update({row["id"]: row for row in rows})

    def person(number: int, name: str, legal: str, **more: Any) -> dict[str, Any]:
        return {"id": number, "name": name, "legal_type": 1, "legal_name": legal, "company_id": 1, "branch_ids": [1, 2],
                "teacher_ids": [], "is_study": 1, "email": [], "phone": [], "web": [], "addr": [], "note": "",
                "balance": "0.00", "balance_base": "0.00", "custom_contract_no": "", **more}

    put("branch", {"id": 1, "name": "Центр", "is_active": 1, "subject_ids": [3, 4], "weight": 1},
        {"id": 2, "name": "Север", "is_active": 1, "subject_ids": [3], "weight": 2},
        {"id": 3, "name": "Закрытый", "is_active": 0, "subject_ids": [], "weight": 3})
    put("location", {"id": 1, "branch_id": 1, "name": "Ленина, 1", "is_active": 1, "weight": 1},
        {"id": 2, "branch_id": 2, "name": "Мира, 2", "is_active": 1, "weight": 2})
    put("pay-account", {"id": 1, "branch_id": 1, "name": "Наличные", "user_ids": [2], "is_enabled": 1, "weight": 1},
        {"id": 2, "branch_id": 1, "name": "Расчётный счёт", "user_ids": [2], "is_enabled": 1, "weight": 2},
        {"id": 3, "branch_id": 2, "name": "Терминал", "user_ids": [2], "is_enabled": 1, "weight": 3},
        {"id": 4, "branch_id": 1, "name": "Интернет-банк", "user_ids": [], "is_enabled": 1, "weight": 4})
    put("pay-item", {"id": 1, "branch_ids": [1, 2], "category_id": 1, "pay_type_ids": [1, 5, 6, 9], "name": "Обучение",
                     "weight": 1},
        {"id": 2, "branch_ids": [2], "category_id": 1, "pay_type_ids": [1], "name": "Лагерь", "weight": 2})
    put("pay-item-category", {"id": 1, "name": "Основная", "weight": 1})
    put("pay-type", {"id": 1, "name": "Доход"}, {"id": 5, "name": "Возврат"}, {"id": 6, "name": "Корректировка"},
        {"id": 9, "name": "Продажа товара"})
    put("subject", {"id": 3, "name": "Английский", "weight": 1}, {"id": 4, "name": "Рисование", "weight": 2})
    put("tariff", {"id": 12, "type": 1, "name": "Стандарт 8", "price": "6000.00", "lesson_count": 8, "duration": 60,
                   "added": "2026-01-10 10:00:00", "branch_ids": [1, 2]})
    put("teacher", {"id": 21, "name": "Волкова Анна", "branch_ids": [1, 2]})
    put("room", {"id": 1, "branch_id": 1, "name": "Класс 1"})
    put("group", {"id": 1, "name": "Младшая", "branch_ids": [1]})
    put("lesson-type", {"id": 1, "name": "Групповой"}, {"id": 2, "name": "Индивидуальный"})
    put("study-status", {"id": 1, "name": "Учится"})
    put("lead-status", {"id": 1, "name": "Новый"})
    put("lead-source", {"id": 1, "name": "Сайт"})
    put("user", {"id": PEOPLE_USER, "name": "Иванова Мария"}, {"id": API_USER, "name": "API"})
    put("customer",
        person(145, "Орлов Пётр", "Орлова Мария", email=["orlova@example.org"], phone=["+7(999)123-45-67"]),
        person(146, "Лисицын Глеб", "Лисицына Ольга", phone=["+7(999)222-33-44"], _removed=True),
        person(147, "Сомова Ася", "", is_study=0, email=["somov@example.org"], branch_ids=[2]),
        person(148, "Без Контактов", "", email=["нет почты"]))
    put("customer-tariff",
        {"id": 88, "customer_id": 145, "tariff_id": 12, "subject_ids": [3, 4], "lesson_type_ids": [1],
         "is_separate_balance": 1, "balance": "6000.00", "paid_count": 8, "note": "", "b_date": "01.10.2026",
         "e_date": "31.10.2026", "paid_lesson_count": 8},
        {"id": 89, "customer_id": 145, "tariff_id": 12, "subject_ids": [3], "lesson_type_ids": [1],
         "is_separate_balance": 0, "balance": "0.00", "paid_count": 0, "note": "", "b_date": "00.00.0000",
         "e_date": "", "paid_lesson_count": 0})
