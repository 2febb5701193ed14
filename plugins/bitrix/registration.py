"""Trying the connection, and setting up handler and register on the site (bitrix-site §3.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from hub_plugins.bitrix.client import FIELD, Site, SiteError
from hub_plugins.bitrix.settings import table_of

from hub.contracts import Check, NeedsAttention, SourceContext, Step, TryLater
from hub.fiscal import Country, Text, verbatim
from hub.fiscal.vat import known, of_percent, rate

#: The register's setting in which the site sends our key: section and field of CONFIG, of cashbox_params (§3.2).
SECTION, KEY = "AUTH", "KEY"

ADDRESSES = (
    Text("Address for printing (PRINT_URL)", "Адрес печати (PRINT_URL)"),
    Text("Address for the result (CHECK_URL)", "Адрес результата (CHECK_URL)"),
)
ONE_REGISTER = Text(
    "Leave one active register for a pay system: two of them would print the same payment twice, and one without "
    "FFD 1.05 switches prepayment receipts off for the whole shop. Also active now: {names}.",
    "Оставьте для платёжной системы одну активную кассу: две напечатают одну оплату дважды, а касса без ФФД 1.05 "
    "отключит чеки предоплаты во всём магазине. Сейчас активны также: {names}.")
PAY_SYSTEMS = Text(
    "Shop → Settings → Pay systems: allow printing receipts in each pay system whose payments need one.",
    "Магазин → Настройки → Платёжные системы: включите печать чеков в каждой системе, оплаты которой нужно пробивать.")


def urls(context: SourceContext) -> tuple[str, str]:
    """(PRINT_URL, CHECK_URL) of this source."""
    address = context.address.rstrip("/")
    return f"{address}/print", f"{address}/check"


def handler_code(context: SourceContext) -> str:
    """The code under which this source registers its handler; unique on the site, the same on every try."""
    return f"kassahub_{context.public_id}"


# -- test connection ---------------------------------------------------------------------------------------------


def check(site: Site | None, config: Mapping[str, Any], context: SourceContext) -> Check:
    """Asks the site for its handlers and VAT rates and holds the settings against them."""
    if site is None:
        return Check(True, Text(
            "Nothing to try without a REST webhook: the site calls the hub and asks for results itself. Give it the "
            "two addresses from the set-up steps.",
            "Без вебхука REST проверять нечего: сайт сам обращается к хабу и сам спрашивает о чеках. Укажите на "
            "сайте два адреса из шагов настройки."))
    try:
        handlers = site.rows("sale.cashbox.handler.list")
        registers = site.rows("sale.cashbox.list")
        rates = site.rows("catalog.vat.list", "vats", select=["id", "name", "rate", "active", "excludeVat"])
    except (NeedsAttention, TryLater) as problem:
        return Check(False, problem.reason, getattr(problem, "field", "") or FIELD)
    except SiteError as problem:
        return Check(False, problem.attention().reason, FIELD)
    table, country = table_of(config), Country.KZ if context.currency == "KZT" else Country.RU
    for row in rates:
        wrong = _contradiction(row, table, country)
        if wrong is not None:
            return Check(False, wrong, "vat")
    free = [row for row in rates if _number(row) and _number(row) not in table and row.get("active", "Y") != "N"]
    lines = verbatim(_lines(free, context.now().date(), country)) if free else None
    if lines and not config.get("vat"):
        return Check(False, Text(
            "No VAT rate of the site is matched yet. Add lines: {lines}",
            "Ни одна ставка НДС сайта ещё не сопоставлена. Добавьте строки: {lines}",
            params={"lines": lines}), "vat")
    facts = ((Text("VAT rates on the site", "Ставки НДС на сайте"), ", ".join(
        f"№ {_number(row)} {_name(row)} → {table.get(_number(row), '—')}" for row in rates if _number(row))),)
    mine = _ours(handlers, context)
    if mine is None:
        message = Text("The site answers. The register is not set up yet: press “Set up”.",
                       "Сайт отвечает. Касса на нём ещё не заведена: нажмите «Настроить».")
    elif _settings(mine).get("PRINT_URL") != urls(context)[0]:
        message = Text("The site answers, but prints to another address. Press “Set up” to correct it.",
                       "Сайт отвечает, но печатает по другому адресу. Нажмите «Настроить», чтобы исправить.")
    else:
        message = Text("The site answers, the register is set up.", "Сайт отвечает, касса заведена.")
    if lines:
        message = Text("{first} Receipts with these rates will be refused until they are matched: {lines}",
                       "{first} Чеки с этими ставками будут отклонены, пока они не сопоставлены: {lines}",
                       params={"first": message, "lines": lines})
    others = other_registers(registers, context)
    if others:
        message = Text("{first} {second}", "{first} {second}", params={"first": message, "second": others})
    return Check(True, message, facts=facts if rates else ())


def _contradiction(row: Mapping[str, Any], table: Mapping[str, str], country: Country) -> Text | None:
    """The sentence for a rate that the table matches to another percentage than the site has."""
    key, percent = table.get(_number(row)), _percent(row)
    if key is None or percent is None or not known(key, country):
        return None
    matched = rate(key, country).percent
    if matched == percent or (percent == 0 and matched is None):
        return None
    return Text("Rate no. {vat} is “{name}” ({percent}%) on the site, but {key} in the table. Correct the line.",
                "Ставка № {vat} на сайте — «{name}» ({percent} %), а в таблице {key}. Исправьте строку.",
                params={"vat": _number(row), "name": _name(row), "percent": percent, "key": key})


def _lines(rows: list[dict[str, Any]], day: date, country: Country) -> str:
    """What to add to the table for these rates, ready to copy."""
    return "; ".join(f"{_number(row)} = {_guess(row, day, country)}  # {_name(row)}" for row in rows[:20])


def _guess(row: Mapping[str, Any], day: date, country: Country) -> str:
    percent = _percent(row)
    if percent is None or row.get("excludeVat") == "Y":
        return "none"
    # A rate of 0 is how sites enter both "0 %" and "without VAT": only the owner knows which.
    found = of_percent(percent, day, country)
    return "vat0 | none" if percent == 0 else found.key if found else f"vat{percent}"


def _number(row: Mapping[str, Any]) -> str:
    words = str(row.get("id", ""))
    return str(int(words)) if words.isascii() and words.isdigit() and len(words) < 10 else ""


def _percent(row: Mapping[str, Any]) -> int | None:
    words = str(row.get("rate", "")).split(".")[0]
    return int(words) if words.isascii() and words.isdigit() and len(words) < 4 else None


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("name", ""))[:60]


# -- set up ------------------------------------------------------------------------------------------------------


def by_hand(context: SourceContext) -> tuple[Step, ...]:
    """What a person does when the hub may not call the site."""
    return (
        Step(Text("On the site, add a page with the component “bitrix:rest.hook” and create an incoming webhook with "
                  "the rights cashbox and catalog. Paste its address into “REST webhook” here and press “Set up” "
                  "again: the hub then does the rest.",
                  "На сайте добавьте страницу с компонентом «bitrix:rest.hook» и создайте входящий вебхук с правами "
                  "cashbox и catalog. Вставьте его адрес здесь в поле «Вебхук REST» и снова нажмите «Настроить»: "
                  "остальное хаб сделает сам.")),
        Step(Text("Or give these two addresses to whoever adds the register's handler "
                  "(sale.cashbox.handler.add). {what}:",
                  "Или передайте эти два адреса тому, кто добавляет обработчик кассы "
                  "(sale.cashbox.handler.add). {what}:", params={"what": ADDRESSES[0]}), urls(context)[0]),
        Step(ADDRESSES[1], urls(context)[1]),
        Step(PAY_SYSTEMS),
    )


def register(site: Site, config: Mapping[str, Any], context: SourceContext) -> tuple[Step, ...]:
    """Adds or corrects our handler and register on the site; says what is there afterwards. Repeatable."""
    email = str(config.get("register_email") or "").strip()
    if not email:
        raise NeedsAttention(Text("The site needs an e-mail for the register. Enter it and press “Set up” again.",
                                  "Сайту нужна почта кассы. Укажите её и снова нажмите «Настроить»."),
                             "register_email")
    try:
        _handler(site, config, context)
        registers = site.rows("sale.cashbox.list")
        active = _register(site, registers, config, context, email)
        others = other_registers(registers, context)
    except SiteError as problem:
        raise problem.attention() from problem
    there = (Text("The register “{name}” is there and active.", "Касса «{name}» заведена и активна.") if active else
             Text("The register “{name}” is there, but switched off. Switch it on: Shop → Cash registers.",
                  "Касса «{name}» заведена, но выключена. Включите её: Магазин → Кассы ККМ → Список касс."))
    steps = [
        Step(Text("The handler is registered on the site. {what}:", "Обработчик зарегистрирован на сайте. {what}:",
                  params={"what": ADDRESSES[0]}), urls(context)[0]),
        Step(ADDRESSES[1], urls(context)[1]),
        Step(there.with_(name=verbatim(str(config["register_name"])))),
        Step(PAY_SYSTEMS),
    ]
    if others:
        steps.append(Step(others))
    return tuple(steps)


def other_registers(registers: list[dict[str, Any]], context: SourceContext) -> Text | None:
    """The warning that other registers are active beside ours, those of another connection of this hub too."""
    names = [str(row.get("NAME", "")) for row in registers
             if row.get("ACTIVE") == "Y" and row.get("NUMBER_KKM") != context.public_id]
    return ONE_REGISTER.with_(names=verbatim(", ".join(names[:10]))) if names else None


def _handler(site: Site, config: Mapping[str, Any], context: SourceContext) -> None:
    """``SUPPORTS_FFD105`` stands in both places because documentation and code disagree where it is read; with "N"
    every receipt but plain sale and return disappears from the whole shop (§3.1). ``CONFIG`` may not be empty."""
    wanted = {
        "PRINT_URL": urls(context)[0], "CHECK_URL": urls(context)[1], "HTTP_VERSION": "1.1", "SUPPORTS_FFD105": "Y",
        "CONFIG": {SECTION: {"LABEL": "Хаб чеков", "ITEMS": {KEY: {
            "TYPE": "STRING", "LABEL": "Ключ", "REQUIRED": "Y" if config.get("config_key") else "N"}}}}}
    name = str(config["register_name"])
    mine = _ours(site.rows("sale.cashbox.handler.list"), context)
    if mine is None:
        try:
            site.call("sale.cashbox.handler.add", CODE=handler_code(context), NAME=name, SORT=100,
                      SUPPORTS_FFD105="Y", SETTINGS=wanted)
            return
        except SiteError as problem:
            if problem.code.upper() != "ERROR_HANDLER_ALREADY_EXIST":
                raise
        # Our own add whose answer was lost, or another worker's.
        mine = _ours(site.rows("sale.cashbox.handler.list"), context)
        if mine is None:
            raise NeedsAttention(Text(
                "The site says that the handler exists, but does not show it to this webhook. Use the webhook that "
                "created it.",
                "Сайт сообщает, что обработчик уже есть, но этому вебхуку его не показывает. Укажите тот вебхук, "
                "которым он создан."), FIELD)
    there = _settings(mine)
    if mine.get("NAME") != name or any(there.get(field) != value for field, value in wanted.items()):
        site.call("sale.cashbox.handler.update", ID=mine.get("ID"), FIELDS={"NAME": name, "SETTINGS": wanted})


def _register(site: Site, registers: list[dict[str, Any]], config: Mapping[str, Any], context: SourceContext,
              email: str) -> bool:
    """Our register is known by its NUMBER_KKM, which is this source's public id. An owner who switched it off
    meant it, so that only a new one is switched on. Gives whether it is active."""
    settings = {SECTION: {KEY: str(config.get("config_key") or "")}}
    fields: dict[str, Any] = {"NAME": str(config["register_name"]), "EMAIL": email, "SETTINGS": settings}
    if config.get("ofd"):
        fields["OFD"] = config["ofd"]
    for row in registers:
        if row.get("NUMBER_KKM") == context.public_id:
            site.call("sale.cashbox.update", ID=row.get("ID"), FIELDS=fields)
            return row.get("ACTIVE") == "Y"
    site.call("sale.cashbox.add", REST_CODE=handler_code(context), NUMBER_KKM=context.public_id, ACTIVE="Y", **fields)
    return True


def _ours(handlers: list[dict[str, Any]], context: SourceContext) -> dict[str, Any] | None:
    return next((row for row in handlers if row.get("CODE") == handler_code(context)), None)


def _settings(handler: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = handler.get("SETTINGS")
    return settings if isinstance(settings, Mapping) else {}
