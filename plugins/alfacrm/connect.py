"""Connecting an account: the test that really tries, and the steps that a person clicks over there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from hub_plugins.alfacrm import values
from hub_plugins.alfacrm.client import AlfaClient, Forbidden, Gone, Refused
from hub_plugins.alfacrm.poll import MOST_DAYS
from hub_plugins.alfacrm.rules import Rules

from hub.contracts import Check, Finding, NeedsAttention, SourceContext, Step, Text, TryLater

#: The action that tries the payment's fields again.
FIELDS = "fields"
#: The action that says that a person has looked at the days which the hub could not catch up on.
MISSED = "missed"

#: Rights that a receipt cannot do without: entity -> how it is called on the CRM's pages.
NEEDED: Mapping[str, Text] = {"customer-tariff": Text("subscriptions", "абонементы"),
                              "customer": Text("customers", "клиентов"), "pay": Text("payments", "платежи")}
#: And what results cannot be written back without.
CHANGES = Text("changing payments", "изменение платежей")


def check(client: AlfaClient) -> Check:
    """Tries login, branches and each needed right; the facts help to fill in the rest of the form."""
    try:
        client.login()
        listed = client.rows(None, "branch", {})
    except TryLater as problem:
        return Check(False, problem.reason, "host")
    except NeedsAttention as problem:
        return Check(False, problem.reason, problem.field)
    names = {number: values.text(one.get("name")) for one in listed
             if (number := values.whole(one.get("id"))) is not None}
    unknown = [number for number in client.rules.branches if number not in names]
    if unknown or not names:
        return Check(False, Text("The API user does not see branch {branch}. It sees: {names}.",
                                 "Пользователь API не видит филиал {branch}. Видит: {names}.",
                                 params={"branch": unknown[0] if unknown else "-", "names": _listed(names) or "-"}),
                     "branches")
    chosen = {number: names[number] for number in client.rules.branches or names}
    facts = [(Text("Branches", "Филиалы"), _listed(chosen))]
    try:
        # What is only told stands before what is needed: an outage in the middle never ends as a good check.
        facts += _facts(client, chosen)
        rules = client.rules
        changes = not (rules.own_fields or rules.write_note) or all(client.may_change(one, "pay") for one in chosen)
        lacking = {name.en: name for branch in chosen for name in _missing_rights(client, branch)}
        if lacking:
            what = ", ".join(name.say("ru") for name in lacking.values())
            return Check(False, Text("The API user may not read {what}. Give its role these rights in AlfaCRM, in "
                                     "every branch that the hub works for.",
                                     "У пользователя API нет права видеть {what}. Дайте это право его роли в АльфаCRM, "
                                     "в каждом филиале, с которым работает хаб.",
                                     params={"what": Text(", ".join(lacking), what)}), "email",
                         missing=tuple(lacking.values()))
        if not changes:
            return Check(False, Text("The API user may see payments and not change them, so results cannot be written "
                                     "back. Give its role the right to change payments, or empty the fields under "
                                     "“Result back to AlfaCRM” and switch the note off.",
                                     "Пользователь API видит платежи, но не может их менять: результат не записать. "
                                     "Дайте его роли право изменять платежи или очистите поля «Результат в АльфаCRM» "
                                     "и снимите отметку про комментарий."), "email", missing=(CHANGES,))
    except TryLater as problem:
        return Check(False, problem.reason, "host")
    except NeedsAttention as problem:
        return Check(False, problem.reason, problem.field)
    return Check(True, Text("Connected to {host}.", "Связь с {host} есть.",
                            params={"host": client.rules.origin.partition("://")[2]}), facts=tuple(facts))


def _missing_rights(client: AlfaClient, branch: int) -> list[Text]:
    """What the API user may not read in that branch, by its name on the page."""
    missing = []
    for entity, name in NEEDED.items():
        try:
            client.one(branch, entity, 0)
        except Forbidden:
            missing.append(name)
        except NeedsAttention:
            if entity in ("pay", "customer"):  # subscriptions without a customer may be refused for that alone
                raise
    return missing


def _facts(client: AlfaClient, branches: Mapping[int, str]) -> list[tuple[Text, str]]:
    """Numbers that the form asks for, with their names. A list that the API user may not read is left out."""
    facts = []
    for entity, label in (("pay-type", Text("Payment types", "Типы платежей")),
                          ("pay-account", Text("Pay accounts", "Кассы и счета")),
                          ("pay-item", Text("Articles", "Статьи")), ("user", Text("CRM users", "Пользователи CRM"))):
        found: dict[int, str] = {}
        for branch in branches:
            try:
                rows = client.rows(branch, entity, {})
            except (Forbidden, Gone, Refused):
                continue
            found.update({number: values.text(one.get("name")) for one in rows
                          if (number := values.whole(one.get("id"))) is not None})
        if found:
            facts.append((label, _listed(found)))
    return facts


def _listed(names: Mapping[int, str]) -> str:
    return ", ".join(f"{number} {name}".strip() for number, name in sorted(names.items()))


def steps(rules: Rules, address: str) -> tuple[Step, ...]:
    """What to click in AlfaCRM, in order. Menu names as the guide gives them (§4.1, §4.2); the screen of webhooks is
    not described anywhere (§3.1), so the step says what must stand there."""
    fields = [(name, what) for name, what in (
        (rules.state_field, Text("state of the receipt", "состояние чека")),
        (rules.url_field, Text("link to the receipt", "ссылка на чек")),
        (rules.record_field, Text("numbers of the fiscal document", "ФД, ФН, ФП"))) if name]
    return (
        Step(Text("In AlfaCRM create a user of its own for the hub, give it all branches and the rights to see "
                  "customers and subscriptions and to see and change payments, and copy its e-mail and API key "
                  "(v2) into this form.",
                  "В АльфаCRM заведите для хаба отдельного пользователя, дайте ему все филиалы и права видеть "
                  "клиентов и абонементы, видеть и изменять платежи; его почту и ключ API (v2) впишите в эту форму.")),
        Step(Text("In «Настройки CRM» → «Интеграции» find webhooks and create one with this address, entity Pay, "
                  "event create. Two more with the same address: events update and delete.",
                  "В «Настройки CRM» → «Интеграции» найдите вебхуки и создайте вебхук с этим адресом: сущность "
                  "«Платёж» (Pay), событие «создание» (create). Ещё два с тем же адресом: «изменение» (update) и "
                  "«удаление» (delete)."), address),
        *(Step(Text("In «Кастомизация» → «Дополнительные поля», section «Модель платежа», create a text field with "
                    "this system name: {what}. Without it the hub writes to the note.",
                    "В «Кастомизация» → «Дополнительные поля», раздел «Модель платежа», создайте текстовое поле с "
                    "таким системным именем: {what}. Без него хаб пишет в комментарий.", params={"what": what}),
               name.removeprefix("custom_")) for name, what in fields),
        Step(Text("Switch off «Настройки CRM» → «Интеграции» → «Онлайн касса», and fiscalisation at the bank that "
                  "takes payments for you: two systems must not print one payment.",
                  "Выключите «Настройки CRM» → «Интеграции» → «Онлайн касса» и фискализацию у банка, который "
                  "принимает оплаты: две системы не должны печатать чек на один платёж.")),
        Step(Text("Press “Test connection”, then enter a payment: its receipt appears here within a minute, even "
                  "without a webhook within five.",
                  "Нажмите «Проверить», затем занесите платёж: чек появится здесь в течение минуты, а без вебхука — в "
                  "течение пяти.")),
    )


def state(missing: Sequence[str]) -> tuple[Finding, ...]:
    """A lamp for where results are written, and what to do when the account lacks fields for them."""
    if not missing:
        return ()
    names = [name.removeprefix("custom_") for name in missing]
    return (Finding("amber", Text(
        "AlfaCRM has no payment field “{name}”, so what belongs there is written to the note. Create the field in "
        "«Кастомизация» → «Дополнительные поля», section «Модель платежа».",
        "В АльфаCRM нет поля платежа «{name}», поэтому его содержимое пишется в комментарий. Создайте поле: "
        "«Кастомизация» → «Дополнительные поля», раздел «Модель платежа».", params={"name": "», «".join(names)}),
        mend=FIELDS, button=Text("I created it, try again", "Создал, попробовать снова"), copy=names[0]),)


def note_missed(context: SourceContext, day: date) -> None:
    """Keeps the first day that nobody looked at, until a person has."""
    if not context.recall(MISSED):
        context.remember(MISSED, day.isoformat())


def missed(context: SourceContext) -> tuple[Finding, ...]:
    """What was paid while the hub was away for longer than it catches up on."""
    day = values.day(context.recall(MISSED))
    if day is None:
        return ()
    return (Finding("red", Text(
        "The hub last looked at this account on {day} and caught up on the last {days} days alone. Look through the "
        "days before them on the page of payments: what has no receipt can be taken there.",
        "Хаб в последний раз смотрел платежи {day} и сам нагнал только последние {days} дней. Просмотрите более ранние "
        "дни на странице «Платежи и чеки»: платёж без чека там можно взять.",
        params={"day": values.dotted(day), "days": MOST_DAYS}), mend=MISSED,
        button=Text("I have looked", "Просмотрел")),)


def looked_at(context: SourceContext) -> Text:
    """The owner has looked through the days that no poll reached: the finding goes. What to say."""
    context.remember(MISSED, "")
    return Text("Good: nothing is left of that time.", "Хорошо: за то время больше ничего не осталось.")
