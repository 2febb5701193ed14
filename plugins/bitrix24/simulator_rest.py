"""The simulated portal's REST methods (bitrix24.md §5, §6): what the hub uses, and what other clients ask first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from hub_plugins.bitrix24.simulator_portal import PAY_SYSTEMS, STAGES, Json, PortalState
from hub_plugins.bitrix24.simulator_wire import Listed, RestError, matches, ordered

_SCOPES = (("sale.paysystem.", "pay_system"), ("sale.", "sale"), ("crm.", "crm"), ("catalog.", "catalog"),
           ("im.", "im"))
_STANDARD = {"id": "integer", "title": "string", "stageId": "crm_status", "opportunity": "double",
             "currencyId": "crm_currency", "contactId": "crm_contact", "companyId": "crm_company",
             "createdTime": "datetime", "updatedTime": "datetime", "movedTime": "datetime", "comments": "text"}
_READ_ONLY = ("id", "createdTime", "updatedTime", "movedTime")
_WEBHOOK_CANNOT = ("event.", "placement.", "bizproc.robot.", "bizproc.activity.")


class Rest:
    """The methods by name in lower case. ``scopes`` are the webhook's rights, ``denied`` methods its user may not call
    (``crm.item.get:3``: not for contacts), ``missing`` those of modules that are not there."""

    def __init__(self, portal: PortalState) -> None:
        self.portal = portal
        self.scopes = ["crm", "sale", "pay_system", "catalog", "im"]
        self.denied: set[str] = set()
        self.missing: set[str] = set()
        #: A field written with useOriginalUfNames=N comes back in camelCase.
        self.methods: dict[str, Callable[[Json], Any]] = {
            "profile": self.profile, "scope": lambda _: list(self.scopes), "server.time": lambda _: portal.stamp(),
            "app.info": lambda _: {"SCOPE": list(self.scopes), "LICENSE": "ru_basic"},
            "crm.item.get": self.item_get, "crm.item.list": self.item_list, "crm.item.fields": self.item_fields,
            "crm.item.update": self.item_update, "crm.item.productrow.list": self.rows_list,
            "crm.item.payment.list": self.payments_of, "crm.item.payment.get": self.payment_get,
            "crm.item.payment.pay": lambda params: self._pay(params, True),
            "crm.item.payment.unpay": lambda params: self._pay(params, False),
            "crm.deal.get": self.deal_get, "crm.deal.list": self.deal_list,
            "crm.deal.productrows.get": self.deal_rows, "crm.contact.get": lambda params: self._classic(3, params),
            "crm.company.get": lambda params: self._classic(4, params),
            "crm.stagehistory.list": self.history_list, "crm.status.list": self.status_list,
            "crm.timeline.comment.add": self.comment_add, "crm.timeline.comment.list": self.comment_list,
            "crm.orderentity.list": self.order_owner, "sale.payment.get": self.sale_payment,
            "sale.payment.list": self.sale_payments, "sale.paysystem.list": self.pay_systems,
            "catalog.vat.list": self.vats, "catalog.product.get": self.product_get,
            "im.notify.system.add": self.notify_add,
        }

    def call(self, method: str, params: Json) -> Any:
        """Runs one method (any case, with or without ``.json``); raises RestError as the portal answers."""
        name = method.lower().removesuffix(".json").removesuffix(".xml")
        if name.startswith(_WEBHOOK_CANNOT):
            raise RestError(403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method")
        found = self.methods.get(name)
        if found is None or name in self.missing:
            raise RestError(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
        scope = next((scope for prefix, scope in _SCOPES if name.startswith(prefix)), "")
        if scope and scope not in self.scopes:
            raise RestError(403, "insufficient_scope",
                            "The request requires higher privileges than provided by the webhook token")
        if {name, f"{name}:{params.get('entityTypeId')}"} & self.denied:
            raise RestError(403, "ACCESS_DENIED", "Access denied!")
        return found(params)

    # -- items ---------------------------------------------------------------------------------------------------

    def _table(self, params: Mapping[str, Any]) -> dict[int, Json]:
        tables = {2: self.portal.deals, 3: self.portal.contacts, 4: self.portal.companies}
        kind = _number(params, "entityTypeId")
        if kind not in tables:
            raise RestError(400, "ENTITY_TYPE_NOT_SUPPORTED", f"Entity type {kind} is not supported")
        return tables[kind]

    def _one(self, table: Mapping[int, Json], number: int) -> Json:
        if number not in table:
            raise RestError(400, "NOT_FOUND", "Element not found")
        return table[number]

    def item_get(self, params: Json) -> Json:
        return {"item": _named(self._one(self._table(params), _number(params, "id")), params)}

    def item_list(self, params: Json) -> Listed:
        rows = [one for one in self._table(params).values() if matches(one, params.get("filter"))]
        select = [str(one) for one in _values(params.get("select")) if one != "*"]
        found = [_named({name: one.get(name) for name in select} if select else one, params)
                 for one in ordered(rows, params.get("order"))]
        return Listed(found, params, "items")

    def item_fields(self, params: Json) -> Json:
        self._table(params)
        fields = {name: {"type": kind, "isRequired": False, "isReadOnly": name in _READ_ONLY, "isMultiple": False,
                         "isDynamic": False, "title": name, "upperName": _upper(name)}
                  for name, kind in _STANDARD.items()}
        own = {name: {"type": one["type"], "isRequired": False, "isReadOnly": False, "isMultiple": one["multiple"],
                      "isDynamic": True, "title": one["title"], "upperName": name}
               for name, one in self.portal.fields.items()}
        return {"fields": fields | _named(own, params)}

    def item_update(self, params: Json) -> Json:
        table, number = self._table(params), _number(params, "id")
        item = self._one(table, number)
        changes = params.get("fields")
        if not isinstance(changes, Mapping):
            raise RestError(400, "100", "Could not find value for parameter {fields}")
        if table is self.portal.deals:
            real = {uf_camel(name): name for name in self.portal.fields}
            self.portal.update_deal(number, {real.get(str(name), str(name)): changes[name] for name in changes})
        return {"item": _named(item, params)}

    def rows_list(self, params: Json) -> Listed:
        wanted = params.get("filter")
        if not isinstance(wanted, Mapping) or "=ownerType" not in wanted or "=ownerId" not in wanted:
            raise RestError(400, "REQUIRED_ARG_MISSING", "Required filter fields are not provided")
        owner = int(wanted["=ownerId"])
        if str(wanted["=ownerType"]) != "D" or owner not in self.portal.deals:
            raise RestError(403, "ACCESS_DENIED", "Access denied")
        return Listed(ordered(self.portal.rows[owner], params.get("order")), params, "productRows")

    # -- payments ------------------------------------------------------------------------------------------------

    def payments_of(self, params: Json) -> list[Json]:
        if _number(params, "entityTypeId") != 2:
            return []
        deal = _number(params, "entityId")
        if deal not in self.portal.deals:
            raise RestError(400, 0, "Insufficient permissions")
        return [_simple(one) for one in self.portal.payments.values() if one["dealId"] == deal]

    def payment_get(self, params: Json) -> Json:
        return _simple(self._payment(_number(params, "id")))

    def _pay(self, params: Json, paid: bool) -> bool:
        number = _number(params, "id")
        self._payment(number)
        self.portal.pay(number, paid)
        return True

    def _payment(self, number: int) -> Json:
        if number not in self.portal.payments:
            raise RestError(400, "200640400001", "payment is not exists")
        return self.portal.payments[number]

    def sale_payment(self, params: Json) -> Json:
        return {"payment": {key: one for key, one in self._payment(_number(params, "id")).items() if key != "dealId"}}

    def sale_payments(self, params: Json) -> Listed:
        rows = [{key: value for key, value in one.items() if key != "dealId"}
                for one in self.portal.payments.values() if matches(one, params.get("filter"))]
        return Listed(ordered(rows, params.get("order")), params, "payments")

    def order_owner(self, params: Json) -> Json:
        wanted = params.get("filter") or {}
        owners = {one["orderId"]: one["dealId"] for one in self.portal.payments.values()}
        order = int(wanted.get("orderId") or 0)
        found = [{"orderId": order, "ownerId": owners[order], "ownerTypeId": 2}] if order in owners else []
        return {"orderEntity": found}

    def pay_systems(self, params: Json) -> list[Json]:
        return [{"ID": str(number), "NAME": name, "IS_CASH": kind, "CAN_PRINT_CHECK": "N", "ACTION_FILE": "cash"}
                for number, (name, kind) in PAY_SYSTEMS.items()]

    # -- history, stages, timeline -------------------------------------------------------------------------------

    def history_list(self, params: Json) -> Listed:
        if _number(params, "entityTypeId") != 2:
            raise RestError(400, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")
        rows = [one for one in self.portal.history if matches(one, params.get("filter"))]
        return Listed(ordered(rows, params.get("order") or {"ID": "ASC"}), params, "items")

    def status_list(self, params: Json) -> Listed:
        rows = [{"ID": str(index), "ENTITY_ID": entity, "STATUS_ID": code, "NAME": name, "SEMANTICS": sign or None}
                for entity, stages in STAGES.items() for index, (code, name, sign) in enumerate(stages, 1)]
        return Listed([one for one in rows if matches(one, params.get("filter"))], params)

    def comment_add(self, params: Json) -> int:
        fields = params.get("fields")
        if not isinstance(fields, Mapping):
            raise RestError(400, "100", "Could not find value for parameter {fields}")
        if not str(fields.get("COMMENT") or "").strip():
            raise RestError(400, "INVALID_ARG_VALUE", "Empty comment message")
        deal = int(fields.get("ENTITY_ID") or 0)
        if fields.get("ENTITY_TYPE") != "deal" or deal not in self.portal.deals:
            raise RestError(400, "OWNER_NOT_FOUND", "Owner was not found")
        return self.portal.comment(deal, str(fields["COMMENT"]))

    def comment_list(self, params: Json) -> Listed:
        wanted = params.get("filter")
        if not isinstance(wanted, Mapping) or not wanted.get("ENTITY_ID") or not wanted.get("ENTITY_TYPE"):
            raise RestError(400, "", "Access denied.")
        rows = [one for one in self.portal.comments.values()
                if one["ENTITY_ID"] == str(wanted["ENTITY_ID"]) and one["ENTITY_TYPE"] == wanted["ENTITY_TYPE"]]
        return Listed(ordered(rows, params.get("order") or {"ID": "ASC"}), params)

    def notify_add(self, params: Json) -> int:
        if params.get("TAG") and not params.get("CLIENT_ID"):
            raise RestError(400, "ACCESS_ERROR", "CLIENT_ID is required")
        if not str(params.get("MESSAGE") or "").strip():
            raise RestError(400, "100", "Could not find value for parameter {MESSAGE}")
        self.portal.notices.append({"user": _number(params, "USER_ID"), "message": str(params["MESSAGE"])})
        return len(self.portal.notices)

    # -- classic methods: flat, upper case, numbers as text ------------------------------------------------------

    def deal_get(self, params: Json) -> Json:
        number = _number(params, "id")
        if number not in self.portal.deals:
            raise RestError(400, "", "Not found")
        return _classic_of(self.portal.deals[number])

    def deal_list(self, params: Json) -> Listed:
        rows = [_classic_of(one) for one in self.portal.deals.values()]
        return Listed(ordered([one for one in rows if matches(one, params.get("filter"))],
                              params.get("order") or {"ID": "ASC"}), params)

    def deal_rows(self, params: Json) -> list[Json]:
        number = _number(params, "id")
        if number not in self.portal.deals:
            raise RestError(400, "", "Not found")
        return [_classic_of(one) for one in self.portal.rows[number]]

    def _classic(self, kind: int, params: Json) -> Json:
        item = self._one(self._table({"entityTypeId": kind}), _number(params, "id"))
        reach: Json = {}
        for one in item["fm"]:
            reach.setdefault(one["typeId"], []).append(
                {"ID": str(one["id"]), "VALUE_TYPE": one["valueType"], "VALUE": one["value"], "TYPE_ID": one["typeId"]})
        return _classic_of({key: value for key, value in item.items() if key != "fm"}) | reach

    # -- the rest ------------------------------------------------------------------------------------------------

    def profile(self, params: Json) -> Json:
        return {"ID": "1", "ADMIN": True, "NAME": "Анна", "LAST_NAME": "Смирнова", "PERSONAL_GENDER": "F",
                "TIME_ZONE": "Europe/Moscow", "TIME_ZONE_OFFSET": 0}

    def vats(self, params: Json) -> Listed:
        rows = [{"id": 1, "name": "Без НДС", "rate": None}, {"id": 3, "name": "НДС 22%", "rate": 22}]
        return Listed(rows, params, "vats")

    def product_get(self, params: Json) -> Json:
        return {"product": self._one(self.portal.products, _number(params, "id"))}


def _number(params: Mapping[str, Any], name: str) -> int:
    """A required whole number, as the camelCase methods ask for it."""
    value = params.get(name, params.get(name.upper()))
    if value is None or value == "":
        raise RestError(400, "100", f"Could not find value for parameter {{{name}}}")
    if not re.fullmatch(r"-?\d+", str(value)):
        raise RestError(400, "100", f"Invalid value {{{value}}} to match with parameter {{{name}}}.")
    return int(value)


def _values(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, Mapping) else list(value or [])


def _simple(payment: Json) -> Json:
    names = ("id", "accountNumber", "paid", "datePaid", "empPaidId", "paySystemId", "sum", "currency", "paySystemName")
    return {name: payment[name] for name in names}


def _named(item: Json, params: Mapping[str, Any]) -> Json:
    """Own fields under the names asked for: original, or in camelCase."""
    if str(params.get("useOriginalUfNames", "N")).upper() in ("Y", "1", "TRUE"):
        return dict(item)
    return {uf_camel(name): value for name, value in item.items()}


def uf_camel(name: str) -> str:
    """``UF_CRM_KKT_LINK`` → ``ufCrmKktLink``, ``UF_CRM_1747309879`` → ``ufCrm_1747309879`` (bitrix24.md §5)."""
    if not name.startswith("UF_CRM_"):
        return name
    rest = name.removeprefix("UF_CRM_")
    if re.fullmatch(r"[A-Z_]+", rest):
        return "ufCrm" + "".join(part.capitalize() for part in rest.split("_"))
    return f"ufCrm_{rest}"


def _upper(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


_CLASSIC = {"updatedTime": "DATE_MODIFY", "createdTime": "DATE_CREATE"}


def _classic_of(item: Mapping[str, Any]) -> Json:
    out: Json = {}
    for name, value in item.items():
        key = name if name.startswith("UF_") else _CLASSIC.get(name, _upper(name))
        if isinstance(value, Decimal):
            value = f"{value:.2f}" if name in ("opportunity", "price") else f"{value.normalize():f}"
        out[key] = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return out
