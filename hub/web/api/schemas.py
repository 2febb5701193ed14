"""Bodies of the API. Names of fields are those of the domain: a rule's problem names the field that was sent."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, fields, validate

from hub.api.keys import SCOPES
from hub.fiscal.codes import AgentSign, CorrectionType, Form, Kind, Measure, Method, Subject, TaxSystem
from hub.store.receipts import TOLD
from hub.web.api.fields import Count, Day, Flag, Mark, MoneyText, QuantityText, Str, Time, one_of, text

STATES = ("accepted", "queued", "printing", "recorded", "confirmed", "invalid", "refused", "uncertain", "cancelled")
EVENTS = tuple(sorted(f"receipt.{one}" for one in TOLD))
MOST_LINES = 1000


def names(kind: Any) -> tuple[str, ...]:
    """Members of an enumeration as the API spells them."""
    return tuple(one.lower() for one in kind.__members__)


class Strict(Schema):
    """A body that is sent: an unknown field is a mistake, and is named."""

    class Meta:
        unknown = RAISE


class Shown(Schema):
    """A body that is answered."""

    class Meta:
        unknown = EXCLUDE


def says(field: Any, words: str) -> Any:
    """Gives a field its description."""
    field.metadata = {**field.metadata, "description": words}
    return field


# -- sent ------------------------------------------------------------------------------------------------------------


class AgentIn(Strict):
    sign = one_of(*names(AgentSign), required=True)
    phones = fields.List(text(19), validate=validate.Length(max=5))
    operation = text(24)
    operator_phones = fields.List(text(19), validate=validate.Length(max=5))
    transfer_phones = fields.List(text(19), validate=validate.Length(max=5))
    transfer_name = text(64)
    transfer_address = text(256)
    transfer_inn = text(12)


class SupplierIn(Strict):
    inn = text(12)
    name = text(256)
    phones = fields.List(text(19), validate=validate.Length(max=5))


class FractionIn(Strict):
    numerator = Count(required=True, validate=validate.Range(1, 9999))
    denominator = Count(required=True, validate=validate.Range(1, 9999))


class LineIn(Strict):
    name = says(text(512), "As on the receipt; longer than 128 characters is shortened at a word. May be empty when "
                           "the shop's template names the lines.")
    price = says(MoneyText(required=True), "Of one unit, before the discount.")
    quantity = says(QuantityText(), "One when it is left out.")
    amount = says(MoneyText(), "Sum of the line after its discount. Computed when it is left out.")
    discount = says(MoneyText(), "Money off the whole line.")
    vat = says(text(12), "vat22, vat10, vat0, none, ... as valid on the day of settlement; the organisation's rate "
                         "when it is left out.")
    method = one_of(*names(Method))
    subject = one_of(*names(Subject))
    measure = one_of(*names(Measure))
    marking = says(Mark(validate=validate.Length(0, 500)), "The marking code as it was scanned, with its GS (U+001D).")
    unit = text(16)
    excise = MoneyText()
    country = says(text(3), "Country of origin, three digits.")
    declaration = text(32)
    additional = text(64)
    department = Count(validate=validate.Range(0, 99))
    fraction = fields.Nested(FractionIn)
    agent = fields.Nested(AgentIn)
    supplier = fields.Nested(SupplierIn)
    tags = fields.Dict(keys=text(64, 1), values=text(500), validate=validate.Length(max=50))


class PaymentIn(Strict):
    form = one_of(*names(Form), required=True)
    amount = MoneyText(required=True)


class CustomerIn(Strict):
    name = text(256)
    email = text(256)
    phone = text(64)
    inn = text(12)


class CashierIn(Strict):
    name = text(64)
    inn = text(12)


class UserPropertyIn(Strict):
    name = text(64, 1, required=True)
    value = text(256, 1, required=True)


class CorrectionIn(Strict):
    type = says(one_of(*names(CorrectionType), required=True), "own, or by_order of the tax office.")
    day = says(Day(required=True), "Day of the settlement that is corrected.")
    number = says(text(32), "Number of the order; only with by_order.")
    description = text(256)
    fiscal_sign = says(text(16), "Sign of the wrong receipt.")


class ReceiptIn(Strict):
    key = says(text(150, 1, required=True), "Your own id of this receipt, unique in the shop: the same key and content "
                                            "is the same receipt, however often it is sent.")
    number = says(text(64), "The order's number for people; the key when it is left out.")
    kind = one_of(*names(Kind), load_default="sale")
    currency = one_of("RUB", "KZT")
    lines = fields.List(fields.Nested(LineIn), required=True, validate=validate.Length(1, MOST_LINES))
    payments = fields.List(fields.Nested(PaymentIn), required=True, validate=validate.Length(1, 10))
    customer = fields.Nested(CustomerIn)
    cashier = fields.Nested(CashierIn)
    discount = says(MoneyText(), "Money off the whole order, shared over the lines.")
    settled_at = says(Time(), "When it was paid; now when it is left out. It decides the VAT rates.")
    internet = Flag()
    electronic_only = Flag()
    tax_system = one_of(*names(TaxSystem))
    settlement_place = text(256)
    settlement_address = text(256)
    additional = says(text(16), "Tag 1192.")
    user_property = fields.Nested(UserPropertyIn)
    agent = fields.Nested(AgentIn)
    supplier = fields.Nested(SupplierIn)
    base = says(text(150), "Key of the receipt that this one returns; it waits until that one is recorded.")
    tags = says(fields.Dict(keys=text(64, 1), values=text(500), validate=validate.Length(max=50)),
                "For the shop's receipt template.")
    metadata = says(fields.Dict(keys=text(64, 1), values=text(500), validate=validate.Length(max=50)),
                    "Comes back with the receipt; never printed.")


class CorrectionReceiptIn(ReceiptIn):
    correction = fields.Nested(CorrectionIn, required=True)


class ReturnLineIn(Strict):
    line = says(Count(required=True, validate=validate.Range(0, MOST_LINES - 1)), "Index in the receipt's lines, from "
                                                                                  "0.")
    quantity = QuantityText(required=True)


class ReturnIn(Strict):
    key = says(text(150, 1, required=True), "Your own id of this return, unique in the shop.")
    lines = says(fields.List(fields.Nested(ReturnLineIn), validate=validate.Length(1, MOST_LINES)),
                 "What is given back; all that is left when it is left out.")
    form = says(one_of(*names(Form)), "How the money goes back; as it was paid when it is left out.")


# -- answered --------------------------------------------------------------------------------------------------------


class LineOut(Shown):
    name = fields.String(required=True)
    price = MoneyText(required=True)
    quantity = fields.String(required=True)
    amount = MoneyText(required=True)
    vat = fields.String(required=True)
    vat_amount = MoneyText(required=True)
    method = one_of(*names(Method), required=True)
    subject = one_of(*names(Subject), required=True)
    measure = one_of(*names(Measure), required=True)
    marking = fields.String(required=True)


class PaymentOut(Shown):
    form = one_of(*names(Form), required=True)
    amount = MoneyText(required=True)


class CustomerOut(Shown):
    name = fields.String(required=True)
    email = fields.String(required=True)
    phone = fields.String(required=True)
    inn = fields.String(required=True)


class RecordOut(Shown):
    storage_number = fields.String(required=True)
    document_number = fields.Integer(required=True)
    fiscal_sign = fields.String(required=True)
    printed_at = says(fields.String(required=True), "In the register's own zone.")
    total = MoneyText(required=True)
    shift_number = fields.Integer(required=True)
    receipt_in_shift = fields.Integer(required=True)
    register_serial = fields.String(required=True)
    registration_number = fields.String(required=True)


class ProblemItem(Shown):
    field = fields.String(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)


class CorrectionOut(Shown):
    type = one_of(*names(CorrectionType), required=True)
    day = fields.String(required=True)
    number = fields.String(required=True)
    description = fields.String(required=True)
    fiscal_sign = fields.String(required=True)


class ReceiptOut(Shown):
    id = says(fields.String(required=True), "The hub's own id.")
    key = says(fields.String(required=True), "Your id.")
    number = fields.String(required=True)
    state = one_of(*STATES, required=True)
    kind = one_of(*names(Kind), required=True)
    currency = fields.String(required=True)
    total = MoneyText(required=True, allow_none=True)
    created_at = fields.String(required=True)
    state_at = fields.String(required=True)
    base = says(fields.String(required=True, allow_none=True), "Id of the receipt that this one returns.")
    correction = fields.Nested(CorrectionOut, required=True, allow_none=True)
    lines = fields.List(fields.Nested(LineOut), required=True)
    payments = fields.List(fields.Nested(PaymentOut), required=True)
    customer = fields.Nested(CustomerOut, required=True)
    metadata = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    record = says(fields.Nested(RecordOut, required=True, allow_none=True), "What the fiscal storage wrote; from the "
                                                                            "state “recorded” on.")
    problems = says(fields.List(fields.Nested(ProblemItem), required=True), "Why it is invalid.")
    reason = says(fields.String(required=True, allow_none=True), "Why it was refused, or what it waits for.")
    url = says(fields.String(required=True), "The hub's page of the receipt, for the buyer.")
    ofd_url = says(fields.String(required=True, allow_none=True), "The operator's page, once the receipt is confirmed.")


class ProblemOut(Shown):
    """Problem details (RFC 9457)."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True)
    errors = fields.List(fields.Nested(ProblemItem), required=True)
    receipt = says(fields.Nested(ReceiptOut, allow_none=True), "The stored receipt that it is about, if there is one.")


class KeyOut(Shown):
    id = fields.String(required=True)
    title = fields.String(required=True)
    shop = says(fields.String(required=True), "Id of the key's shop.")
    scopes = fields.List(one_of(*SCOPES), required=True)
    per_minute = fields.Integer(required=True)
    expires_at = fields.String(required=True, allow_none=True)


def page_of(item: type[Schema], name: str) -> type[Schema]:
    """A page of a list."""
    return type(f"{name}Page", (Shown,), {
        "items": fields.List(fields.Nested(item), required=True),
        "next_cursor": says(fields.String(required=True, allow_none=True),
                            "Give it as “cursor” for what follows; null at the end.")})


class PageQuery(Strict):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, 200))
    cursor = says(Str(), "“next_cursor” of the page before.")


class ReceiptsQuery(PageQuery):
    state = one_of(*STATES)
    key = says(text(150), "Your id.")
    number = says(text(100), "The order's number.")
    since = says(Time(), "Created at this moment or later.")
    until = says(Time(), "Created before this moment.")


# -- registers -------------------------------------------------------------------------------------------------------

COLOURS = ("green", "amber", "red", "unknown")


class LampsOut(Shown):
    link = one_of(*COLOURS, required=True)
    paper = one_of(*COLOURS, required=True)
    shift = one_of(*COLOURS, required=True)
    storage = one_of(*COLOURS, required=True)
    ofd = one_of(*COLOURS, required=True)


class OpenShiftOut(Shown):
    number = fields.Integer(required=True)
    open = says(fields.Boolean(required=True, allow_none=True), "null: the register does not say.")
    opened_at = fields.String(required=True, allow_none=True)


class StorageOut(Shown):
    documents = fields.Integer(required=True, allow_none=True)
    capacity = fields.Integer(required=True, allow_none=True)
    valid_until = fields.String(required=True, allow_none=True)


class OfdOut(Shown):
    unsent = fields.Integer(required=True, allow_none=True)
    oldest = fields.String(required=True, allow_none=True)


class RegisterOut(Shown):
    id = fields.String(required=True)
    title = fields.String(required=True)
    enabled = fields.Boolean(required=True)
    zone = fields.String(required=True)
    model = fields.String(required=True)
    serial = fields.String(required=True)
    registration_number = fields.String(required=True)
    storage_number = fields.String(required=True)
    ffd = fields.String(required=True)
    lamps = fields.Nested(LampsOut, required=True)
    seen_at = fields.String(required=True, allow_none=True)
    trouble = says(fields.String(required=True, allow_none=True), "Why it does not print now.")
    alarm = fields.String(required=True, allow_none=True)
    last_document = fields.Integer(required=True)
    shift = fields.Nested(OpenShiftOut, required=True)
    storage = fields.Nested(StorageOut, required=True, allow_none=True)
    ofd = fields.Nested(OfdOut, required=True, allow_none=True)


class RegistersOut(Shown):
    items = fields.List(fields.Nested(RegisterOut), required=True)


class ZOut(Shown):
    receipts = fields.Integer(required=True)
    sales = says(MoneyText(required=True, allow_none=True), "Null, as the others, when the register did not say: the "
                 "report was found in its storage after its answer was lost.")
    returns = MoneyText(required=True, allow_none=True)
    cash = MoneyText(required=True, allow_none=True)
    cumulative = says(MoneyText(required=True, allow_none=True), "The total that is never reset.")
    document_number = fields.Integer(required=True)
    fiscal_sign = fields.String(required=True)


class ShiftOut(Shown):
    id = fields.String(required=True)
    register = fields.String(required=True)
    number = fields.Integer(required=True)
    storage_number = fields.String(required=True)
    opened_at = fields.String(required=True, allow_none=True)
    closed_at = fields.String(required=True, allow_none=True)
    z = says(fields.Nested(ZOut, required=True, allow_none=True), "The Z report; null while the shift is open.")


class ShiftsQuery(PageQuery):
    register = says(text(60), "Id of a register.")


class XOut(Shown):
    receipts = fields.Integer(required=True)
    sales = MoneyText(required=True)
    returns = MoneyText(required=True)
    cash = MoneyText(required=True)


class OrderOut(Shown):
    id = fields.String(required=True)
    register = fields.String(required=True)
    command = one_of("x_report", "open_shift", "close_shift", required=True)
    state = says(one_of("waiting", "taken", "done", "refused", "unknown", required=True),
                 "waiting → taken → done or refused; unknown: it was cut off while it ran, look at the register.")
    created_at = fields.String(required=True)
    ended_at = fields.String(required=True, allow_none=True)
    reason = says(fields.String(required=True, allow_none=True), "Why it was refused.")
    report = says(fields.Nested(XOut, required=True, allow_none=True), "Of an X report.")


class OrderIn(Strict):
    command = one_of("x_report", "open_shift", "close_shift", required=True)


class DayQuery(Strict):
    day = says(Day(), "Today in the organisation's zone when it is left out.")


class KindTotalOut(Shown):
    kind = one_of(*names(Kind), required=True)
    receipts = fields.Integer(required=True)
    total = MoneyText(required=True)


class NotPrintedOut(Shown):
    state = one_of(*STATES, required=True)
    receipts = fields.Integer(required=True)


class DayOut(Shown):
    day = fields.String(required=True)
    zone = fields.String(required=True)
    currency = fields.String(required=True)
    kinds = fields.List(fields.Nested(KindTotalOut), required=True)
    balance = says(fields.String(required=True), "Sales less returns, purchases the other way; may be below zero.")
    not_printed = says(fields.List(fields.Nested(NotPrintedOut), required=True), "Of the receipts created that day.")


# -- webhooks --------------------------------------------------------------------------------------------------------


class WebhookIn(Strict):
    url = says(text(1000, 8, required=True), "https://…, an address on the public Internet.")
    title = text(128)
    events = says(fields.List(one_of(*EVENTS), validate=validate.Length(max=len(EVENTS))),
                  "What it is told of; everything when the list is empty or left out.")


class WebhookChange(Strict):
    url = text(1000, 8)
    title = text(128)
    events = fields.List(one_of(*EVENTS), validate=validate.Length(max=len(EVENTS)))
    enabled = Flag()


class WebhookOut(Shown):
    id = fields.String(required=True)
    title = fields.String(required=True)
    url = fields.String(required=True)
    events = fields.List(fields.String(), required=True)
    enabled = fields.Boolean(required=True)
    created_at = fields.String(required=True)
    last_ok_at = fields.String(required=True, allow_none=True)
    failures = says(fields.Integer(required=True), "In a row, now.")
    last_error = fields.String(required=True, allow_none=True)
    old_secret_until = says(fields.String(required=True, allow_none=True), "Until then the secret before the last "
                                                                           "rotation signs too.")


class NewWebhookOut(WebhookOut):
    secret = says(fields.String(required=True), "Shown this once.")


class RotateIn(Strict):
    hours = says(Count(load_default=24, validate=validate.Range(0, 720)), "For how long the old secret still signs.")


class DeliveryOut(Shown):
    id = fields.String(required=True)
    event = says(fields.String(required=True), "receipt.… or test.")
    event_id = says(fields.String(required=True), "The same on every try and every replay.")
    receipt = fields.String(required=True, allow_none=True)
    state = one_of("pending", "claimed", "done", "given_up", "skipped", required=True)
    tries = fields.Integer(required=True)
    status = says(fields.Integer(required=True), "The last HTTP status; 0 when there was no answer.")
    error = fields.String(required=True, allow_none=True)
    created_at = fields.String(required=True)
    due_at = says(fields.String(required=True), "When it is tried next, while it is pending.")
    done_at = fields.String(required=True, allow_none=True)


class DeliveriesQuery(PageQuery):
    state = one_of("pending", "claimed", "done", "given_up", "skipped")


class PeriodIn(Strict):
    since = says(Time(required=True), "Events from this moment on …")
    until = says(Time(required=True), "… and before this one.")
    failed_only = says(Flag(load_default=False), "Only what was given up.")


class ReplayedOut(Shown):
    deliveries = says(fields.Integer(required=True), "How many are sent again.")
