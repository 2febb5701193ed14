"""The page's fixed words: states, causes, roles, codes. One word for one thing, everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import LazyString, gettext
from flask_babel import lazy_gettext as _

from hub.fiscal.codes import Form, Kind


@dataclass(frozen=True, slots=True)
class StateLook:
    """How a state of a receipt looks: its word, its colour and its shape."""

    word: LazyString
    colour: str
    shape: str


STATES: Mapping[str, StateLook] = {
    "accepted": StateLook(_("waits for approval"), "amber", "ring"),
    "queued": StateLook(_("queued"), "grey", "dot"),
    "printing": StateLook(_("printing"), "blue", "half"),
    "recorded": StateLook(_("recorded"), "green", "ring"),
    "confirmed": StateLook(_("confirmed by OFD"), "green", "dot"),
    "invalid": StateLook(_("error in the data"), "red", "cross"),
    "refused": StateLook(_("refused by the register"), "red", "cross"),
    "uncertain": StateLook(_("unknown whether printed"), "amber", "triangle"),
    "cancelled": StateLook(_("cancelled"), "grey", "dash"),
}

@dataclass(frozen=True, slots=True)
class PairLook:
    """How a payment beside its receipt looks: colour, shape, words, and the button that leads to its receipt."""

    word: LazyString
    colour: str
    shape: str
    button: LazyString


_OPEN = _("Open the receipt")
#: What there is to say of a payment and its receipt (hub.intake.comparing.STATUSES).
PAIRS: Mapping[str, PairLook] = {
    "twice": PairLook(_("two receipts for one payment"), "red", "cross", _("Open and return one")),
    "elsewhere_too": PairLook(_("printed here and by another system"), "red", "cross", _("Open and return it")),
    "uncertain": PairLook(_("unknown whether printed"), "amber", "triangle", _("Compare with the register")),
    "orphan": PairLook(_("a receipt without a payment"), "red", "cross", _("Open and return it")),
    "withdrawn": PairLook(_("printed, and the payment was taken back"), "red", "cross", _("Open and return it")),
    "other_sum": PairLook(_("printed with another sum"), "red", "cross", _("Open and correct it")),
    "refused": PairLook(_("refused by the register"), "red", "cross", _("Look at the reason")),
    "invalid": PairLook(_("error in the data"), "red", "cross", _("Look at the error")),
    "failed": PairLook(_("could not be read yet"), "amber", "triangle", _OPEN),
    "disputed": PairLook(_("changed after its receipt"), "amber", "triangle", _("Compare both")),
    "cancelled": PairLook(_("its receipt was cancelled"), "amber", "triangle", _OPEN),
    "ruled_out": PairLook(_("printed, and the rule leaves it out now"), "amber", "triangle", _OPEN),
    "untold": PairLook(_("the hub has not heard of it yet"), "amber", "triangle", _OPEN),
    "left": PairLook(_("the hub has left it"), "amber", "triangle", _OPEN),
    "approval": PairLook(_("waits for approval"), "amber", "ring", _("Look and decide")),
    "by_hand": PairLook(_("waits for a person to send it"), "amber", "ring", _OPEN),
    "due": PairLook(_("waits for a person to say how it ended"), "blue", "ring", _OPEN),
    "waits": PairLook(_("not yet printed"), "blue", "half", _OPEN),
    "on_its_way": PairLook(_("being read"), "blue", "half", _OPEN),
    "skipped": PairLook(_("needs no receipt"), "grey", "ring", _OPEN),
    "known": PairLook(_("from before the hub"), "grey", "ring", _OPEN),
    "made_here": PairLook(_("made by a person in the hub"), "grey", "ring", _OPEN),
    "good": PairLook(_("has its receipt"), "green", "dot", _OPEN),
}
VERDICTS: Mapping[str, tuple[LazyString, str, str]] = {
    "receipt": (_("become receipts"), "green", "dot"), "by_hand": (_("wait for a person"), "amber", "ring"),
    "skip": (_("need no receipt"), "grey", "ring"),
}

#: Chips of the list of receipts: name -> (word, states).
CHIPS: Mapping[str, tuple[LazyString, tuple[str, ...]]] = {
    "person": (_("need a person"), ("accepted", "invalid", "refused", "uncertain")),
    "waiting": (_("queued and printing"), ("queued", "printing")),
    "late": (_("late or nearly"), ("accepted", "queued", "printing")),
    "recorded": (_("recorded"), ("recorded",)),
    "confirmed": (_("confirmed by OFD"), ("confirmed",)),
    "cancelled": (_("cancelled"), ("cancelled",)),
}
PERIODS: Mapping[str, LazyString] = {"1": _("today"), "7": _("7 days"), "30": _("30 days")}

KINDS: Mapping[str, LazyString] = {
    Kind.SALE.name: _("sale"), Kind.SALE_RETURN.name: _("return of sale"), Kind.PURCHASE.name: _("purchase"),
    Kind.PURCHASE_RETURN.name: _("return of purchase"),
}
FORMS: Mapping[str, LazyString] = {
    Form.CASH.name: _("in cash"), Form.ELECTRONIC.name: _("cashless"), Form.PREPAID.name: _("from a prepayment"),
    Form.CREDIT.name: _("on credit"), Form.OTHER.name: _("otherwise"),
}

#: What webhooks tell of.
EVENTS: Mapping[str, LazyString] = {
    "receipt.recorded": _("receipt recorded"), "receipt.confirmed": _("receipt confirmed by OFD"),
    "receipt.invalid": _("error in the data"), "receipt.refused": _("refused by the register"),
    "receipt.uncertain": _("unknown whether printed"), "receipt.cancelled": _("receipt cancelled"),
    "test": _("test message"),
}
#: States of a webhook's message.
MESSAGES: Mapping[str, LazyString] = {
    "pending": _("waits"), "claimed": _("is being sent"), "done": _("taken"), "given_up": _("given up"),
    "skipped": _("not sent"),
}

#: Causes of a receipt's events. What is not here is told by the state it led to.
CAUSES: Mapping[str, LazyString] = {
    "received": _("The order has come."),
    "built": _("The receipt is built and waits for a register."),
    "rules": _("The order breaks a rule, so there is no receipt yet."),
    "mended": _("The cause was mended; the receipt waits for a register again."),
    "edited": _("The payment was changed over there before it was printed; the receipt is made anew and waits."),
    "conflict": _("The same order came again with other content. Nothing was printed; both are kept."),
    "conflict_same": _("Compared with the order that came later: the same payment. Nothing more is printed."),
    "conflict_another": _("Compared with the order that came later: another payment. It gets a receipt of its own."),
    "cancelled": _("The receipt was cancelled before printing."),
    "needs_approval": _("The return waits for the owner’s approval."),
    "approved": _("The owner approved the return; it waits for a register."),
    "withdrawn": _("Over there the payment was taken back."),
    "paid_again": _("Over there it is paid again."),
    "rejected": _("The owner rejected the return. Nothing was printed."),
    "claimed": _("The register has taken the receipt."),
    "printed": _("The register wrote the receipt into its fiscal storage."),
    "polled": _("The cloud has printed the receipt."),
    "found_printed": _("The receipt was found in the register's fiscal storage."),
    "undecided": _("The fiscal storage gives no certain answer whether the receipt was printed."),
    "interrupted": _("The worker stopped while printing; the register is asked what became of the receipt."),
    "document_taken": _("The document that the register named already belongs to another receipt."),
    "again": _("A person asked to try again."),
    "returned": _("A person made this return."),
    "pinned": _("A person bound the receipt to one register."),
    "unpinned": _("A person let any register print the receipt."),
    "hurried": _("The buyer waits: a person let the receipt go first."),
    "unhurried": _("A person let the receipt wait in its turn."),
    "resolved_not_printed": _("A person compared the register: the receipt was not printed, so it is printed again."),
    "recorded": _("The register wrote the receipt into its fiscal storage."),
    "found": _("The receipt was found in the register's fiscal storage."),
    "not_printed": _("The fiscal storage was read: the receipt was not printed, so it goes back to the queue."),
    "confirmed": _("The tax data operator has the receipt."),
    "refused": _("The register refused the receipt. Nothing was printed."),
    "unavailable": _("The register did not answer; nothing was sent. The receipt went back to the queue."),
    "submitted": _("The cloud register took the receipt."),
    "resolved": _("A person compared the receipt with the register and found its document."),
    "given_up": _("A person cancelled the receipt: nobody can say whether it was printed."),
}
#: What is said of an event whose cause has no sentence of its own.
TURNS: Mapping[str, LazyString] = {
    "accepted": _("The order has come."),
    "queued": _("The receipt waits for a register."),
    "printing": _("The register has taken the receipt."),
    "recorded": _("The register wrote the receipt into its fiscal storage."),
    "confirmed": _("The tax data operator has the receipt."),
    "invalid": _("The order breaks a rule, so there is no receipt yet."),
    "refused": _("The register refused the receipt. Nothing was printed."),
    "uncertain": _("It is unknown whether the receipt was printed."),
    "cancelled": _("The receipt was cancelled before printing."),
}

ATTEMPTS: Mapping[str, LazyString] = {
    "open": _("at work"), "submitted": _("taken by the cloud"), "uncertain": _("unknown whether printed"),
    "recorded": _("recorded"), "not_printed": _("not printed"), "given_up": _("given up"),
}
TARGETS: Mapping[str, LazyString] = {"source": _("to the source"), "person": _("to who is responsible over there"),
                                     "buyer": _("to the buyer"),
                                     "owner": _("to the owner"), "plugins": _("to plugins")}
DELIVERIES: Mapping[str, LazyString] = {
    "pending": _("waiting"), "claimed": _("on its way"), "done": _("told"), "failed": _("not told"),
    "given_up": _("not told"), "skipped": _("not needed"),
}
#: In what two orders under one key differ beside goods and money (hub.fiscal.sameness).
PARTIES: Mapping[str, LazyString] = {
    "name": _("The buyer's name is another"), "email": _("The buyer's e-mail is another"),
    "phone": _("The buyer's phone is another"), "inn": _("The buyer's INN is another"),
    "details": _("What is said of the buyer beside the name is another"), "agent": _("The agent is another"),
    "supplier": _("The supplier is another"),
}
INBOX: Mapping[str, tuple[LazyString, str, str]] = {
    "pending": (_("waiting"), "grey", "dot"), "claimed": (_("being read"), "blue", "half"),
    "done": (_("made a receipt"), "green", "dot"), "ignored": (_("needs no receipt"), "grey", "ring"),
    "failed": (_("will be tried again"), "amber", "triangle"), "given_up": (_("given up"), "red", "cross"),
    "malformed": (_("cannot be read"), "red", "cross"), "invalid": (_("error in the data"), "red", "cross"),
}
VIAS: Mapping[str, LazyString] = {"webhook": _("came in"), "poll": _("found by asking"),
                                  "spool": _("kept while the database was away"),
                                  "again": _("received again"), "hand": _("sent by a person")}
DOCUMENTS: Mapping[str, LazyString] = {
    "receipt": _("receipt"), "shift_open": _("shift opened"), "shift_close": _("shift closed"),
    "cash_in": _("cash in"), "cash_out": _("cash out"), "report": _("report"), "correction": _("correction"),
    "other": _("another document"),
}
#: What a register printed beside receipts.
SLIPS: Mapping[str, LazyString] = {
    "shift_open": _("shift opened"), "z": _("Z report"), "x": _("X report"), "cash_in": _("cash in"),
    "cash_out": _("cash out"),
}
COMMANDS: Mapping[str, LazyString] = {"x": _("X report"), "z": _("Z report, closes the shift"),
                                      "cash_in": _("cash in"), "cash_out": _("cash out"),
                                      "open": _("opening of a shift"), "check": _("test of the connection"),
                                      "copy": _("copy of the last receipt"), "cut": _("cut of the paper"),
                                      "drawer": _("opening of the drawer"), "clock": _("setting of the clock"),
                                      "cancel": _("cancelling of the open document")}
#: The same as buttons.
BUTTONS: Mapping[str, LazyString] = {
    "check": _("Test the connection"), "open": _("Open the shift"), "x": _("X report"), "z": _("Z report"),
    "cash_in": _("Cash in"), "cash_out": _("Cash out"), "copy": _("Copy of the last receipt"),
    "cut": _("Cut the paper"), "drawer": _("Open the drawer"), "clock": _("Set the clock"),
    "cancel": _("Cancel the open document"),
}
#: Sheets of printers: (word, colour, shape) of their states, and what they are.
SHEETS: Mapping[str, tuple[LazyString, str, str]] = {
    "pending": (_("waits"), "grey", "ring"), "claimed": (_("is being printed"), "blue", "half"),
    "done": (_("printed on paper"), "green", "dot"), "given_up": (_("given up"), "red", "cross"),
    "skipped": (_("not needed"), "grey", "dash"),
}
PAPERS: Mapping[str, LazyString] = {
    "receipt": _("copy of a receipt"), "test": _("test sheet"), "x": _("X report"), "z": _("Z report"),
    "cash_in": _("cash in"), "cash_out": _("cash out"), "shift_open": _("shift opened"),
}
ROLES: Mapping[str, LazyString] = {"owner": _("owner"), "cashier": _("cashier")}
COUNTRIES: Mapping[str, LazyString] = {"RU": _("Russia"), "KZ": _("Kazakhstan")}
TAX_SYSTEMS: Mapping[str, LazyString] = {
    "OSN": _("General (OSN)"), "USN_INCOME": _("Simplified, income (USN)"),
    "USN_INCOME_EXPENSE": _("Simplified, income less expenses (USN)"), "ESHN": _("Agricultural (ESHN)"),
    "PATENT": _("Patent"),
}
ROUNDINGS: Mapping[str, LazyString] = {
    "none": _("to the kopeck, not rounded"), "down": _("down to whole roubles"),
    "positions": _("each line to whole tenge"), "total": _("the total to whole tenge"),
}
#: Zones offered first; any IANA zone may be typed.
ZONES = ("Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Omsk",
         "Asia/Krasnoyarsk", "Asia/Novosibirsk", "Asia/Irkutsk", "Asia/Yakutsk", "Asia/Vladivostok", "Asia/Magadan",
         "Asia/Kamchatka", "Asia/Almaty")

AUDIT: Mapping[str, LazyString] = {
    "organisation.create": _("organisation created"), "organisation.update": _("organisation changed"),
    "organisation.receipts": _("receipt settings of the organisation changed"),
    "organisation.logo": _("logo changed"), "organisation.no_logo": _("logo taken away"),
    "source.receipts": _("receipt settings of a source changed"),
    "register.receipts": _("receipt settings of a register changed"),
    "return.approve": _("return approved"), "return.reject": _("return rejected"),
    "user.create": _("person added"), "user.password": _("password changed"), "user.archive": _("person removed"),
    "user.language": _("language changed"),
    "source.add": _("source enabled"), "source.change": _("source changed"), "source.on": _("source goes on"),
    "source.off": _("source paused"), "source.archive": _("source taken away"),
    "source.new_address": _("new address of a source"), "source.seen": _("wrong secrets seen"),
    "source.again": _("event repeated"),
    "notifier.add": _("messages to buyers enabled"), "notifier.change": _("messages to buyers changed"),
    "notifier.on": _("messages to buyers go on"), "notifier.off": _("messages to buyers paused"),
    "notifier.archive": _("messages to buyers taken away"),
    "register.add": _("register added"), "register.change": _("register changed"),
    "register.on": _("register goes on"), "register.off": _("register paused"),
    "register.archive": _("register taken away"), "register.command": _("order to a register"),
    "register.x": _("X report"), "register.z": _("Z report, closes the shift"),
    "register.cash_in": _("cash in"), "register.cash_out": _("cash out"), "register.check": _("test of the connection"),
    "register.copy": _("copy of the last receipt"), "register.cut": _("cut of the paper"),
    "register.drawer": _("opening of the drawer"), "register.clock": _("setting of the clock"),
    "register.cancel": _("cancelling of the open document"), "register.withdraw": _("order to a register taken back"),
    "register.wire": _("byte log of a register switched"), "register.wire_clear": _("byte log of a register deleted"),
    "register.search": _("search for registers"),
    "register.serve": _("queues of a register changed"), "register.alarm": _("alarm of a register seen"),
    "register.order.x": _("X report ordered"), "register.order.z": _("Z report ordered"),
    "register.order.cash_in": _("cash in ordered"), "register.order.cash_out": _("cash out ordered"),
    "register.order.check": _("test of the connection ordered"),
    "register.order.copy": _("copy of the last receipt ordered"), "register.order.cut": _("cut of the paper ordered"),
    "register.order.drawer": _("opening of the drawer ordered"),
    "register.order.clock": _("setting of the clock ordered"),
    "register.order.cancel": _("cancelling of the open document ordered"),
    "register.open": _("shift opened"), "register.order.open": _("opening of a shift ordered"),
    "register.rules": _("rules of a register’s shifts changed"),
    "receipt.cancel": _("receipt cancelled"), "receipt.pin": _("register of a receipt chosen"),
    "receipt.hurry": _("turn of a receipt changed"), "receipt.retry": _("receipt tried again"),
    "receipt.resolve": _("receipt bound to a document"),
    "receipt.resolve_not_printed": _("receipt said to be not printed"),
    "receipt.give_up": _("undecided receipt cancelled"), "receipt.return": _("return made"),
    "printer.add": _("printer added"), "printer.change": _("printer changed"), "printer.on": _("printer goes on"),
    "printer.off": _("printer paused"), "printer.archive": _("printer taken away"),
    "printer.test": _("test sheet printed"),
    "queue.add": _("queue added"), "queue.change": _("queue changed"), "conflict.seen": _("contradiction seen"),
    "conflict.same": _("contradiction: the same payment"), "conflict.another": _("contradiction: another payment"),
    "evidence.seen": _("alarm seen"),
}


def vat_word(key: str) -> str:
    """A VAT rate's name as people say it."""
    if key == "none":
        return gettext("without VAT")
    return f"{key.removeprefix('vat')} %"


def word(table: Mapping[str, Any], key: str) -> Any:
    """The word for ``key``, or the key itself where a plugin or a later hub has made up its own."""
    return table.get(key, key)
