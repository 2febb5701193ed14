"""What can be wrong with an order or a receipt, in words: code -> sentence in Russian, English and Kazakh.

Each sentence names the thing, the reason and the way out (style.md, habit 15).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any

from hub.fiscal.problems_marking import MARKING_SENTENCES
from hub.fiscal.problems_rules import RULE_SENTENCES
from hub.fiscal.text import Text, params_from_json, params_to_json


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule: its code, the field it belongs to (``lines[2].vat``), the values in its sentence."""

    code: str
    field: str = ""
    params: Mapping[str, Any] = attribute(default_factory=dict)

    @property
    def text(self) -> Text:
        """The sentence, with its values filled in."""
        return SENTENCES[self.code].with_(**self.params)

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "field": self.field, "params": params_to_json(self.params)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Problem:
        return cls(data["code"], data.get("field", ""), params_from_json(data.get("params", {})))


class Invalid(Exception):
    """An order that cannot become a receipt, with every problem found.

    A source that cannot even make an order, but knows which receipt it would have been, gives its source key and
    the order's number: then the owner finds it among the receipts, and a repeat mends the same one.
    """

    def __init__(self, problems: list[Problem], key: str = "", number: str = "") -> None:
        super().__init__("; ".join(str(one.text) for one in problems))
        self.problems, self.key, self.number = problems, key, number


SENTENCES: dict[str, Text] = {
    "no_lines": Text(
        "The order has no lines, so there is nothing to print. Add the goods to the order and repeat.",
        "В заказе нет позиций, печатать нечего. Добавьте товары в заказ и повторите.",
        "Тапсырыста бірде-бір жол жоқ, басып шығаратын ештеңе жоқ. Тауарларды қосып, қайталаңыз."),
    "no_payments": Text(
        "The order does not say how it was paid. Set the form of payment in the connector's settings.",
        "В заказе не указано, чем он оплачен. Задайте форму оплаты в настройках подключения.",
        "Тапсырыста төлем түрі көрсетілмеген. Қосылым баптауларында төлем түрін көрсетіңіз."),
    "nothing_to_pay": Text(
        "The order comes to {total}; a receipt needs a sum above zero. Check the prices and discounts.",
        "Сумма заказа {total}; чек можно пробить только на сумму больше нуля. Проверьте цены и скидки.",
        "Тапсырыс сомасы {total}; чек нөлден артық сомаға ғана беріледі. Баға мен жеңілдіктерді тексеріңіз."),
    "sums_differ": Text(
        "The lines come to {lines}, but {payments} was paid. Correct the order so that both agree.",
        "Позиции дают {lines}, а оплачено {payments}. Исправьте заказ, чтобы суммы сошлись.",
        "Жолдар сомасы {lines}, ал төленгені {payments}. Сомалар сәйкес келетіндей тапсырысты түзетіңіз."),
    "line_sum_differs": Text(
        "“{name}”: {price} x {quantity} less the discount is {computed}, but the order says {stated}. "
        "Correct the line.",
        "«{name}»: {price} × {quantity} со скидкой — это {computed}, а в заказе {stated}. Исправьте позицию.",
        "«{name}»: {price} × {quantity} жеңілдікпен {computed}, ал тапсырыста {stated}. Жолды түзетіңіз."),
    "name_missing": Text(
        "Line {line} has no name and the template gives none. Name the goods or change the template.",
        "У позиции {line} нет названия, и шаблон его не даёт. Назовите товар или измените шаблон.",
        "{line}-жолдың атауы жоқ, үлгі де атау бермейді. Тауарды атаңыз немесе үлгіні өзгертіңіз."),
    "price_negative": Text(
        "“{name}” has a price below zero ({price}). A return is a receipt of its own: use a return.",
        "У «{name}» отрицательная цена ({price}). Возврат — это отдельный чек: оформите возврат.",
        "«{name}» бағасы теріс ({price}). Қайтару — бөлек чек: қайтаруды рәсімдеңіз."),
    "quantity_not_positive": Text(
        "“{name}” has a quantity of {quantity}; it must be above zero. Correct the order.",
        "У «{name}» количество {quantity}; оно должно быть больше нуля. Исправьте заказ.",
        "«{name}» саны {quantity}; ол нөлден үлкен болуы керек. Тапсырысты түзетіңіз."),
    "discount_too_big": Text(
        "The discount of {discount} is more than what it is taken from ({amount}). Correct the order.",
        "Скидка {discount} больше суммы, с которой она снимается ({amount}). Исправьте заказ.",
        "{discount} жеңілдігі алынатын сомадан ({amount}) артық. Тапсырысты түзетіңіз."),
    "vat_unknown": Text(
        "“{name}”: there is no VAT rate “{vat}”. Valid on {day}: {valid}. Correct it in the order or in the "
        "connector's VAT table.",
        "«{name}»: ставки НДС «{vat}» нет. На {day} действуют: {valid}. Исправьте ставку в заказе или в таблице "
        "НДС подключения.",
        "«{name}»: «{vat}» ҚҚС мөлшерлемесі жоқ. {day} күні жарамдылары: {valid}. Тапсырыста немесе қосылым "
        "кестесінде түзетіңіз."),
    "vat_outdated": Text(
        "“{name}”: the VAT rate {vat} is not valid on {day}. Valid then: {valid}.",
        "«{name}»: ставка НДС {vat} на {day} не действует. Действуют: {valid}.",
        "«{name}»: {vat} ҚҚС мөлшерлемесі {day} күні жарамсыз. Жарамдылары: {valid}."),
    "vat_unmapped": Text(
        "“{name}”: the other system sends VAT no. {vat}, which is not matched to a rate. Match it in the "
        "connector's settings, then repeat.",
        "«{name}»: другая система прислала НДС № {vat}, который не сопоставлен со ставкой. Сопоставьте его в "
        "настройках подключения и повторите.",
        "«{name}»: басқа жүйе № {vat} ҚҚС жіберді, ол мөлшерлемемен сәйкестендірілмеген. Қосылым баптауларында "
        "сәйкестендіріп, қайталаңыз."),
    "foreign_currency": Text(
        "The order is in {currency}, the receipt must be in {expected}. Convert the order in the shop.",
        "Заказ в валюте {currency}, а чек должен быть в {expected}. Пересчитайте заказ в магазине.",
        "Тапсырыс {currency} валютасында, ал чек {expected} болуы керек. Дүкенде қайта есептеңіз."),
    "contact_missing": Text(
        "The buyer's e-mail or phone is missing; a receipt for a payment on the Internet must be sent to the buyer. "
        "Add it to the order and repeat.",
        "Нет почты или телефона покупателя, а чек за оплату в интернете надо ему отправить. Добавьте контакт "
        "в заказ и повторите.",
        "Сатып алушының поштасы немесе телефоны жоқ, ал интернеттегі төлем чегін оған жіберу керек. Тапсырысқа "
        "қосып, қайталаңыз."),
    "contact_wrong": Text(
        "“{contact}” is neither an e-mail address nor a phone number. Correct it in the order and repeat.",
        "«{contact}» — не почта и не телефон. Исправьте контакт в заказе и повторите.",
        "«{contact}» — пошта да, телефон да емес. Тапсырыста түзетіп, қайталаңыз."),
    "cashless_over_total": Text(
        "Non-cash payments ({cashless}) are more than the receipt's total ({total}); change is given from cash only.",
        "Безналичных оплат ({cashless}) больше суммы чека ({total}); сдачу дают только с наличных.",
        "Қолма-қолсыз төлемдер ({cashless}) чек сомасынан ({total}) артық; қайтарым тек қолма-қол ақшадан беріледі."),
    "marking_quantity": Text(
        "“{name}” has a marking code, so its quantity must be 1, not {quantity}. Split the line: one code, one piece.",
        "У «{name}» есть код маркировки, поэтому количество должно быть 1, а не {quantity}. Разделите позицию: "
        "один код — одна штука.",
        "«{name}» таңбалау коды бар, сондықтан саны {quantity} емес, 1 болуы керек. Жолды бөліңіз."),
    "subject_needs_ffd12": Text(
        "“{name}”: payment object {subject} exists only in FFD 1.2, the register works by {ffd}.",
        "«{name}»: признак предмета расчёта {subject} есть только в ФФД 1.2, касса работает по {ffd}.",
        "«{name}»: {subject} есеп айырысу заты тек ФФД 1.2-де бар, касса {ffd} бойынша жұмыс істейді."),
    "too_large": Text(
        "{field} is {value}, more than a receipt can hold. Split the order.",
        "{field}: {value} — больше, чем помещается в чек. Разделите заказ.",
        "{field}: {value} — чекке сыятыннан көп. Тапсырысты бөліңіз."),
    "tax_system_missing": Text(
        "The tax system is not set. Choose it in the organisation's settings.",
        "Не указана система налогообложения. Выберите её в настройках организации.",
        "Салық жүйесі көрсетілмеген. Ұйым баптауларында таңдаңыз."),
    "number_unreadable": Text(
        "The field {field} holds “{value}”, which is not a number. Correct it in the other system and repeat.",
        "В поле {field} «{value}» — это не число. Исправьте в другой системе и повторите.",
        "{field} өрісінде «{value}» — бұл сан емес. Басқа жүйеде түзетіп, қайталаңыз."),
    "value_unknown": Text(
        "The field {field} holds “{value}”, which the hub does not know. Known: {valid}.",
        "В поле {field} неизвестное значение «{value}». Известны: {valid}.",
        "{field} өрісінде белгісіз «{value}» мәні. Белгілілері: {valid}."),
    "field_missing": Text(
        "The field {field} is missing in what the other system sent.",
        "В присланных данных нет поля {field}.",
        "Жіберілген деректерде {field} өрісі жоқ."),
    "return_exceeds": Text(
        "“{name}”: {wanted} are to be returned, but only {left} can be. Reduce the quantity.",
        "«{name}»: к возврату {wanted}, а вернуть можно {left}. Уменьшите количество.",
        "«{name}»: қайтаруға {wanted}, ал қайтаруға болатыны {left}. Санын азайтыңыз."),
    "not_printed_yet": Text(
        "The receipt is not printed yet, so there is nothing to return. Wait until it is.",
        "Чек ещё не пробит, возвращать нечего. Дождитесь, когда он будет пробит.",
        "Чек әлі басылған жоқ, қайтаратын ештеңе жоқ. Басылғанын күтіңіз."),
    "template_broken": Text(
        "The receipt template cannot be used: {reason}",
        "Шаблон чека не работает: {reason}",
        "Чек үлгісі жұмыс істемейді: {reason}"),
    "discount_negative": Text(
        "The discount of {discount} is below zero. Give what makes the price higher as a markup.",
        "Скидка {discount} меньше нуля. То, что повышает цену, укажите наценкой.",
        "{discount} жеңілдігі нөлден кем. Бағаны көтеретінді үстеме етіп көрсетіңіз."),
    "markup_negative": Text(
        "The markup of {markup} is below zero. Give what makes the price lower as a discount.",
        "Наценка {markup} меньше нуля. То, что снижает цену, укажите скидкой.",
        "{markup} үстемесі нөлден кем. Бағаны түсіретінді жеңілдік етіп көрсетіңіз."),
    "given_twice": Text(
        "{name}: the same discount or markup is given in money ({money}) and in percent ({percent} %). Leave one.",
        "{name}: одна и та же скидка или наценка указана и суммой ({money}), и процентом ({percent} %). Оставьте "
        "одно из двух.",
        "{name}: бір жеңілдік немесе үстеме сомамен де ({money}), пайызбен де ({percent} %) берілген. Біреуін "
        "қалдырыңыз."),
    "percent_wrong": Text(
        "{name}: {percent} % cannot be a discount or markup: a discount is 0 to 100 %, a markup 0 % or more. "
        "Correct the order.",
        "{name}: {percent} % не может быть скидкой или наценкой: скидка — от 0 до 100 %, наценка — от 0 %. "
        "Исправьте заказ.",
        "{name}: {percent} % жеңілдік не үстеме бола алмайды: жеңілдік 0-ден 100 %-ға дейін, үстеме 0 %-дан бастап. "
        "Тапсырысты түзетіңіз."),
    "marked_price": Text(
        "“{name}” has one marking code and must stay one line, but no unit price times {quantity} gives {amount}. "
        "Change its discount.",
        "«{name}» с одним кодом маркировки должен остаться одной позицией, но никакая цена × {quantity} не даёт "
        "{amount}. Измените скидку.",
        "«{name}» бір таңбалау кодымен бір жол болып қалуы керек, бірақ ешбір баға × {quantity} {amount} бермейді. "
        "Жеңілдікті өзгертіңіз."),
    "refund_exceeds": Text(
        "{wanted} are to go back, but only {left} can: the rest was not received, or goods were given for it. Correct "
        "the refund, or take the goods back first.",
        "К возврату {wanted}, а вернуть можно {left}: остальное не получено или за него отдан товар. Исправьте сумму "
        "или сначала примите товар обратно.",
        "Қайтаруға {wanted}, ал қайтаруға болатыны {left}: қалғаны алынбаған немесе оған тауар берілген. Соманы "
        "түзетіңіз немесе алдымен тауарды қайтарып алыңыз."),
    "ship_exceeds": Text(
        "“{name}”: {wanted} are to be handed over, but only {left} are left to be. Correct the quantity.",
        "«{name}»: к выдаче {wanted}, а не выдано {left}. Исправьте количество.",
        "«{name}»: беруге {wanted}, ал берілмегені {left}. Санын түзетіңіз."),
    "goods_unknown": Text(
        "Goods are handed over or taken back, but the order does not say yet which goods there are. Add its "
        "lines first.",
        "Товар выдан или возвращён, но в заказе ещё не указано, какой. Сначала добавьте позиции.",
        "Тауар берілді не қайтарылды, бірақ тапсырыста қандай екені көрсетілмеген. Алдымен жолдарын қосыңыз."),
    "goods_known": Text(
        "The order's lines are known already and money was taken for them. Make a new order for other goods.",
        "Позиции заказа уже известны, и деньги приняты за них. На другой товар сделайте новый заказ.",
        "Тапсырыстың жолдары белгілі, ақша солар үшін алынған. Басқа тауарға жаңа тапсырыс жасаңыз."),
    "event_differs": Text(
        "The event {id} came twice with different content. The first one counts; find out which is right.",
        "Событие {id} пришло дважды с разным содержанием. Учтено первое; выясните, какое верное.",
        "{id} оқиғасы екі рет әртүрлі мазмұнмен келді. Біріншісі есептелді; қайсысы дұрыс екенін анықтаңыз."),
    "payment_wrong": Text(
        "A payment of {amount} ({form}) is not money that came or went: it must be above zero and not a credit. "
        "Correct it.",
        "Оплата {amount} ({form}) — не деньги: сумма должна быть больше нуля, а форма — не кредит. Исправьте оплату.",
        "{amount} төлемі ({form}) ақша емес: сома нөлден артық, ал түрі несие болмауы керек. Түзетіңіз."),
    "plugin": Text("{words}", "{words}", "{words}"),
    **RULE_SENTENCES,
    **MARKING_SENTENCES,
}
