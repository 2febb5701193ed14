"""The simulated school's own page: payments as a manager sees them, and a form to make, change and delete them by hand.

Stands in for the CRM's «Финансы», so that a person (or a browser test) can play a day without the control surface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from hub_plugins.alfacrm.school import PEOPLE_USER, Missing, Refusal

from hub.contracts import Answer, Request
from hub.contracts.http import php_form

if TYPE_CHECKING:
    from hub_plugins.alfacrm.school import School

MOST_SHOWN = 50
_STYLE = """body{font:16px/1.5 system-ui,sans-serif;margin:1rem auto;max-width:70rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .5rem;text-align:left}
td.sum{text-align:right;font-variant-numeric:tabular-nums}form{display:inline}
fieldset{border:1px solid #ccc;border-radius:8px;margin:1rem 0}label{display:inline-block;margin:.2rem 1rem .2rem 0}
.said{background:#fee;border-radius:8px;padding:.5rem 1rem}"""


def answer(request: Request, school: School, changed: Callable[[], None]) -> Answer | None:
    """The page, or None when the path is none of its. ``changed`` sends the webhooks of what was done."""
    if request.path == "/" and request.method == "GET":
        return _page(school)
    if not request.path.startswith("/page/") or request.method != "POST":
        return None
    form = {name: str(value) for name, value in php_form(request.body).items() if value != ""}
    try:
        _do(request.path.removeprefix("/page/"), school, form)
        changed()
    except (Missing, Refusal, ValueError) as problem:
        said = "; ".join(problem.errors.values()) if isinstance(problem, Refusal) else "Нет такой записи."
        return _page(school, said)
    return Answer(303, b"", headers={"Location": "/"})


def _do(act: str, school: School, form: dict[str, str]) -> None:
    number = int(form.pop("id", "0"))
    if act == "create":
        fields: dict[str, Any] = {"customer_id": 145, **form}
        if form.get("pay_type_id") == "5":
            fields["expenditure"] = fields.pop("income", "")
        school.create("pay", int(form.get("branch_id", "1")), fields, PEOPLE_USER)
    elif act == "update":
        school.update("pay", None, number, form, PEOPLE_USER)
    elif act == "delete":
        school.delete("pay", None, number, PEOPLE_USER)
    else:
        raise Missing


def _page(school: School, said: str = "") -> Answer:
    rows = sorted(school.tables["pay"].values(), key=lambda one: -one["id"])[:MOST_SHOWN]
    empty = "<tr><td colspan=9>Платежей ещё нет: добавьте первый.</td></tr>"
    body = "".join(_row(school, one) for one in rows) or empty
    heads = "".join(f"<th>{one}</th>" for one in ("№", "Дата", "Ученик", "Тип", "Касса", "Сумма", "Комментарий", "ККТ",
                                                  ""))
    words = f"<p class=said>{escape(said)}</p>" if said else ""
    return Answer(200, f"""<!doctype html><html lang=ru><meta charset=utf-8>
<meta name=viewport content="width=device-width"><title>Школа (симулятор АльфаCRM)</title><style>{_STYLE}</style>
<h1>Финансы</h1>{words}{_form(school)}<table><tr>{heads}</tr>{body}</table></html>""".encode(),
                  "text/html; charset=utf-8")


def _form(school: School) -> str:
    return f"""<form method=post action=/page/create><fieldset><legend>Добавить платёж</legend>
<label>Ученик {_choice(school, "customer", "customer_id")}</label>
<label>Тип {_choice(school, "pay-type", "pay_type_id")}</label>
<label>Касса {_choice(school, "pay-account", "pay_account_id")}</label>
<label>Сумма <input name=income inputmode=decimal required size=10></label>
<label>Комментарий <input name=note></label>
<label>Абонемент <select name=ctt_id><option value="">базовый счёт</option>
{_options(school, "customer-tariff")}</select></label>
<label><select name=is_confirmed><option value=1>подтверждён</option><option value=0>не подтверждён</option>
</select></label> <button>Сохранить</button></fieldset></form>"""


def _choice(school: School, entity: str, name: str) -> str:
    return f"<select name={name}>{_options(school, entity)}</select>"


def _options(school: School, entity: str) -> str:
    return "".join(f"<option value={number}>{escape(str(row.get('name') or row.get('id')))}</option>"
                   for number, row in sorted(school.tables[entity].items()))


def _row(school: School, one: Mapping[str, Any]) -> str:
    number = one["id"]
    amount = one["expenditure"] if one["pay_type_id"] == 5 else one["income"]
    state = one.get("custom_kkt_status") or one.get("_kkt") or ""
    cells = [number, one["document_date"], _name(school, "customer", one["customer_id"]),
             _name(school, "pay-type", one["pay_type_id"]), _name(school, "pay-account", one["pay_account_id"])]
    confirm = "" if one["is_confirmed"] else _button("update", number, "Подтвердить", is_confirmed=1)
    return (f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}<td class=sum>{escape(str(amount))}</td>"
            f"<td>{escape(str(one['note']))}</td><td>{escape(str(state))}</td>"
            f"<td>{confirm}{_button('delete', number, 'Удалить')}</td></tr>")


def _button(act: str, number: int, words: str, **fields: Any) -> str:
    hidden = "".join(f"<input type=hidden name={name} value={value}>"
                     for name, value in {"id": number, **fields}.items())
    return f"<form method=post action=/page/{act}>{hidden}<button>{words}</button></form> "


def _name(school: School, entity: str, number: object) -> str:
    row = school.tables[entity].get(number) if isinstance(number, int) else None
    return str(row["name"]) if row else "—"
