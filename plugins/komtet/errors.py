"""The vendor's errors: code, status, words (komtet-kassa.md §8), and what each means to an owner when we get one.

A body is ``{"title", "code", "description"}``; PHP clients read it only with 403, 422 and 500, so nothing else is ever
answered but 413, which a proxy would say before us.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.contracts import Answer, Text

#: code -> (status, title).
CODES: dict[str, tuple[int, str]] = {
    "AUT00": (403, "Ошибка авторизации"), "SRV00": (403, "Услуга не активна"),
    "VLD00": (422, "Ошибка проверки данных"), "VLD11": (422, "Чек уже существует"),
    "VLD12": (422, "Неверная цена позиции"), "VLD13": (422, "Неверная стоимость позиции"),
    "SYS00": (500, "Неизвестная ошибка")}


class Fault(Exception):
    """A request that the vendor would refuse. ``words`` are for the owner too; ``place`` is where it is in the body."""

    def __init__(self, words: Text, code: str = "VLD00", place: str = "", **more: Any) -> None:
        super().__init__(f"{code} {place}: {words}")
        self.words, self.code, self.place, self.more = words, code, place, more

    def at(self, outer: str) -> Fault:
        """The same, seen from outside: ``positions[2]`` before ``price``."""
        return type(self)(self.words, self.code, f"{outer}.{self.place}" if self.place else outer, **self.more)

    @property
    def reason(self) -> Text:
        """The sentence with its place, for the owner."""
        if not self.place:
            return self.words
        return Text("{place}: {words}", "{place}: {words}", params={"place": self.place, "words": self.words})

    def answer(self) -> Answer:
        """What the shop gets."""
        return refusal(self.code, self.reason.say("ru"), self.more)


def refusal(code: str, description: str, more: Mapping[str, Any] | None = None, status: int = 0) -> Answer:
    """An error's answer; ``more`` stands beside the three fields."""
    known, title = CODES[code]
    return Answer.json({"title": title, "code": code, "description": description, **(more or {})}, status or known)


#: On our way out: :func:`~hub_plugins.komtet.outgoing.check_of` finds no word.
NO_WORD = Text("The receipt holds something that KOMTET Kassa has no word for: {words}",
               "В чеке есть то, для чего у КОМТЕТ Кассы нет обозначения: {words}")
#: What an error of the cloud means to us as its client.
MEANING: dict[str, Text] = {
    "AUT00": Text("KOMTET Kassa does not know the shop id, or the secret key does not fit it. Copy both anew from the "
                  "shop's page at KOMTET.",
                  "КОМТЕТ Касса не знает такой ID магазина, или секретный ключ к нему не подходит. Скопируйте оба "
                  "заново со страницы магазина в КОМТЕТ."),
    "SRV00": Text("The service at KOMTET Kassa is not paid or not active. Check the account there; receipts wait.",
                  "Услуга КОМТЕТ Кассы не оплачена или не активна. Проверьте личный кабинет; чеки ждут."),
    "VLD00": Text("KOMTET Kassa refused the receipt: {words}", "КОМТЕТ Касса не приняла чек: {words}"),
    "VLD12": Text("KOMTET Kassa refused a price with fractions of a kopeck: {words}",
                  "КОМТЕТ Касса не приняла цену с долями копейки: {words}"),
    "VLD13": Text("KOMTET Kassa refused a position's sum: {words}",
                  "КОМТЕТ Касса не приняла стоимость позиции: {words}"),
    "SYS00": Text("KOMTET Kassa has a failure of its own ({words}). The receipt waits and is sent again under its "
                  "number.", "У КОМТЕТ Кассы сбой ({words}). Чек ждёт и будет отправлен снова под своим номером.")}
