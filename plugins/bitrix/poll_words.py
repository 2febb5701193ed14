"""What the owner reads of the poll way: why a call is not made, and what became of a result (bitrix-site §2, §6.3)."""

from __future__ import annotations

from collections.abc import Mapping

from hub.fiscal import Text

RESET = Text(
    "With this version of the protocol the site rebuilds a register that it knows under another one, and resets its "
    "payment types and VAT rates. If the register is new on the site, or if that is meant, tick “The site may reset "
    "its register”; else choose “do not change it (V1)”.",
    "С этой версией протокола сайт перестроит кассу, которую знал под другой, и сбросит её типы оплат и ставки НДС. "
    "Если касса на сайте новая или так задумано, отметьте «Сайт может сбросить кассу»; если нет — выберите «не менять "
    "(V1)».")
NO_REGISTERS = Text(
    "No register serves this connection yet. Add one, or write the factory number that the site knows into the "
    "settings.",
    "Это подключение пока не обслуживает ни одна касса. Добавьте кассу или впишите в настройки заводской номер, "
    "который знает сайт.")
GONE = Text(
    "The site does not take the result of check {number}: its order, payment or shipment was deleted there. The site "
    "will hand the check out for ever. Delete it: Shop, Cash registers, Checks.",
    "Сайт не принимает результат чека {number}: его заказ, оплату или отгрузку на сайте удалили. Сайт будет отдавать "
    "этот чек бесконечно. Удалите его: Магазин → Кассы ККМ → Чеки.")
BREAKS = Text(
    "The site breaks when it is told the result of check {number}. See the site's error log. The receipt itself is not "
    "affected.",
    "Сайт ломается, когда узнаёт результат чека {number}. Посмотрите журнал ошибок сайта. Самого чека это не касается.")
OTHER_CHECK = Text(
    "The site hands out check {number} again, with other contents than the receipt that was made under that number: it "
    "was restored from a backup, or the order was changed. Nothing was printed. Compare both on the receipt's page and "
    "say what it is: the same payment, or another one, which is then printed. The site hears the result by itself.",
    "Сайт снова отдал чек {number}, но содержание другое, чем у чека, сделанного под этим номером: сайт восстановили "
    "из копии или изменили заказ. Ничего не напечатано. Сравните оба на странице чека и нажмите, что это: та же оплата "
    "или другая (тогда она пробьётся). Сайт узнает результат сам.")
SUPERSEDED = Text(
    "The site does not hear the result of this receipt: it was restored from a backup and gives number {number} to "
    "another check. The receipt itself is valid.",
    "Сайт не узнает результат этого чека: сайт восстановили из копии, и номер {number} на нём теперь у другого чека. "
    "Сам документ действителен.")
NO_CHECK = Text("The site has no check for this receipt: it was made another way.",
                "На сайте нет чека для этого документа: он создан другим способом.")
#: The kinds of giving up -> what the owner reads, among the events and on the source's page.
GIVEN_UP: Mapping[str, Text] = {"breaks": BREAKS, "gone": GONE, "other": OTHER_CHECK}
Z_ASKED = Text(
    "The site asked for a Z-report. It was answered with the sums of its receipts; the hub closes shifts by the "
    "registers' own schedule.",
    "Сайт попросил Z-отчёт. Ему сообщены суммы его чеков; смены хаб закрывает по расписанию самих касс.")
UNREADABLE = Text("The site handed out a check without a number that can be read: {words}.",
                  "Сайт отдал чек без читаемого номера: {words}.")
