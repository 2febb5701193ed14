"""The tag language of receipt templates (design.md §8): text with tags, compiled once. It never runs code.

======================  =====================================================================================
``<customer>``          the value of a tag; ``{customer}`` is the same. Blanks inside are dropped (a CRM's
                        guide prints ``{custom_ predmet}``) and capitals do not matter: ``<Customer>``
``<legal|customer>``    the first that is not empty; a value of blanks only is empty
``[ - <note>]``         left out as a whole when all its tags are empty, those of sections inside it too
``[online]``            brackets around text without a tag are just brackets
``<<  >>  {{ }} [[ ]]``  the sign itself. In a section within a section ``]]`` closes both
======================  =====================================================================================

Anything else that has a sign of the language in it is an error with its place and the way out, because a slip
must show when the template is saved and not on a receipt. The result is one line: runs of blanks become one,
and separators at its ends that belong to empty tags go away (``Anna - <note>`` without a note is ``Anna``).
Values are inserted as they are: tags, signs and dashes in them mean nothing.

How it is fast: which text is printed depends only on which tags are empty. So each set of empty tags gets a plan
(one format string and the values it takes), made when it is first met and kept; a render is one look-up.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from operator import itemgetter

from hub.fiscal import Money, Order, OrderLine, Text
from hub.fiscal.money import quantity_text
from hub.fiscal.reckoning import line_sum, reckon

#: Sections within sections.
DEEPEST = 8
#: Plans kept per template: sets of empty tags that really occur are few, what a hostile sender makes up is not.
MOST_PLANS = 256
#: What is trimmed at the ends beside empty tags, beside blanks.
SEPARATORS = "-–—−,;:|/·•"

_SIGNS = re.compile(r"[<>{}\[\]]")
_TOKEN = re.compile(r"<<|>>|\{\{|\}\}|\[\[|\]\]|[<>{}\[\]]|[^<>{}\[\]]+")
_BODY = re.compile(r"[^<>{}\[\]]*")
_NAME = re.compile(r"\w(?:[\w.\-]*\w)?")
_CLOSING = {"<": ">", "{": "}", "[": "]"}
_OPENING = {closing: opening for opening, closing in _CLOSING.items()}

_UNKNOWN = Text(
    "There is no tag {shown} (character {place} of the template). Did you mean {nearest}?",
    "Тега {shown} нет (символ {place} шаблона). Возможно, нужен {nearest}.",
    "{shown} тегі жоқ (үлгінің {place}-таңбасы). Мүмкін {nearest} керек шығар.")
_UNKNOWN_ANY = Text(
    "There is no tag {shown} (character {place} of the template). These can be used: {known}.",
    "Тега {shown} нет (символ {place} шаблона). Можно использовать: {known}.",
    "{shown} тегі жоқ (үлгінің {place}-таңбасы). Мыналарды қолдануға болады: {known}.")
_NOT_A_TAG = Text(
    "{shown} is not a tag (character {place} of the template). A tag is a name such as <customer>; to print the sign "
    "itself write it twice: {twice}.",
    "{shown} — не тег (символ {place} шаблона). Тег — это имя, например <customer>; чтобы напечатать сам знак, "
    "напишите его дважды: {twice}.",
    "{shown} — тег емес (үлгінің {place}-таңбасы). Тег — атау, мысалы <customer>; таңбаның өзін басып шығару үшін "
    "оны екі рет жазыңыз: {twice}.")
_UNCLOSED_TAG = Text(
    "The sign {sign} (character {place} of the template) opens a tag that is not closed. Close it with {closing}, or "
    "to print the sign itself write it twice: {twice}.",
    "Знак {sign} (символ {place} шаблона) открывает тег, который не закрыт. Закройте его знаком {closing}, а чтобы "
    "напечатать сам знак, напишите его дважды: {twice}.",
    "{sign} таңбасы (үлгінің {place}-таңбасы) жабылмаған тегті ашады. Оны {closing} таңбасымен жабыңыз, ал таңбаның "
    "өзін басып шығару үшін екі рет жазыңыз: {twice}.")
_UNCLOSED_SECTION = Text(
    "The section that [ opens (character {place} of the template) is not closed. Close it with ], or to print the "
    "bracket itself write [[.",
    "Часть, которую открывает [ (символ {place} шаблона), не закрыта. Закройте её знаком ], а чтобы напечатать саму "
    "скобку, напишите [[.",
    "[ ашқан бөлік (үлгінің {place}-таңбасы) жабылмаған. Оны ] таңбасымен жабыңыз, ал жақшаның өзін басып шығару "
    "үшін [[ деп жазыңыз.")
_STRAY = Text(
    "The sign {sign} (character {place} of the template) closes nothing. Put {opening} before it, or to print the "
    "sign itself write it twice: {twice}.",
    "Знак {sign} (символ {place} шаблона) ничего не закрывает. Поставьте перед ним {opening}, а чтобы напечатать "
    "сам знак, напишите его дважды: {twice}.",
    "{sign} таңбасы (үлгінің {place}-таңбасы) ештеңені жаппайды. Алдына {opening} қойыңыз, ал таңбаның өзін басып "
    "шығару үшін екі рет жазыңыз: {twice}.")
_TOO_DEEP = Text(
    "There are more than {most} sections within each other (character {place} of the template). Put some beside "
    "each other.",
    "Больше {most} частей в квадратных скобках вложены друг в друга (символ {place} шаблона). Поставьте их рядом.",
    "Төрт бұрышты жақшадағы {most}-ден көп бөлік бірінің ішінде бірі тұр (үлгінің {place}-таңбасы). Оларды қатар "
    "қойыңыз.")


class TemplateError(ValueError):
    """A template that cannot be used: ``text`` says why and what to do, ``position`` is the index of the character
    (the sentence counts from 1), ``nearest`` the known tag that was probably meant, or an empty text."""

    def __init__(self, text: Text, position: int, nearest: str = "") -> None:
        super().__init__(text.say("en"))
        self.text, self.position, self.nearest = text, position, nearest


@dataclass(frozen=True, slots=True)
class _Tag:
    """Alternatives, as indices into the template's names."""

    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Section:
    nodes: tuple[_Node, ...]
    slots: frozenset[int]


_Node = str | _Tag | _Section
#: A format string with ``%s`` for values only, and what picks those values out of all.
_Plan = tuple[str, Callable[[tuple[str, ...]], tuple[str, ...]]]


class _Parser:
    """One pass over the text; sections are kept on a stack of our own, so depth costs no recursion."""

    def __init__(self, text: str, known: Collection[str] | None, prefixes: tuple[str, ...]) -> None:
        self.text = text
        self.known = None if known is None else {name.lower() for name in known}
        self.prefixes = tuple(prefix.lower() for prefix in prefixes)
        self.names: dict[str, int] = {}
        self.nodes: list[_Node] = []
        self.open: list[tuple[int, list[_Node]]] = []

    def parse(self) -> tuple[_Node, ...]:
        place = 0
        while found := _TOKEN.match(self.text, place):
            token, start, place = found[0], place, found.end()
            if token == "]]" and len(self.open) > 1:
                self.close(start)
                self.close(start + 1)
            elif token in ("<", "{"):
                place = self.tag(token, start)
            elif token == "[":
                if len(self.open) == DEEPEST:
                    raise TemplateError(_TOO_DEEP.with_(most=DEEPEST, place=start + 1), start)
                self.open.append((start, self.nodes))
                self.nodes = []
            elif token == "]":
                self.close(start)
            elif token in (">", "}"):
                self.stray(token, start)
            else:
                # Two equal signs are one literal sign; anything else is text without signs.
                self.nodes.append(token[0] if _SIGNS.match(token) else token)
        if self.open:
            start = self.open[-1][0]
            raise TemplateError(_UNCLOSED_SECTION.with_(place=start + 1), start)
        return tuple(self.nodes)

    def stray(self, sign: str, start: int) -> None:
        raise TemplateError(_STRAY.with_(sign=sign, place=start + 1, opening=_OPENING[sign], twice=sign * 2), start)

    def close(self, start: int) -> None:
        if not self.open:
            self.stray("]", start)
        inner = self.nodes
        self.nodes = self.open.pop()[1]
        slots = frozenset(slot for node in inner if not isinstance(node, str) for slot in node.slots)
        self.nodes += [_Section(tuple(inner), slots)] if slots else ["[", *inner, "]"]

    def tag(self, sign: str, start: int) -> int:
        """Reads the tag that ``sign`` opens at ``start``; gives the place after it."""
        body = _BODY.match(self.text, start + 1)
        end = body.end() if body else start + 1
        closing = _CLOSING[sign]
        if self.text[end:end + 1] != closing:
            raise TemplateError(
                _UNCLOSED_TAG.with_(sign=sign, place=start + 1, closing=closing, twice=sign * 2), start)
        shown = self.text[start:end + 1]
        slots = []
        for name in "".join(shown[1:-1].split()).lower().split("|"):
            if not _NAME.fullmatch(name):
                raise TemplateError(_NOT_A_TAG.with_(shown=shown, place=start + 1, twice=sign * 2), start)
            self.check(name, f"{sign}{name}{closing}", sign, start)
            slots.append(self.names.setdefault(name, len(self.names)))
        self.nodes.append(_Tag(tuple(dict.fromkeys(slots))))
        return end + 1

    def check(self, name: str, shown: str, sign: str, start: int) -> None:
        if self.known is None or name in self.known:
            return
        if any(name.startswith(prefix) and name != prefix for prefix in self.prefixes):
            return
        close = difflib.get_close_matches(name, sorted(self.known), 1)
        if not close:
            raise TemplateError(_UNKNOWN_ANY.with_(shown=shown, place=start + 1, known=", ".join(
                f"<{one}>" for one in sorted(self.known)) or "—"), start)
        nearest = f"{sign}{close[0]}{_CLOSING[sign]}"
        raise TemplateError(_UNKNOWN.with_(shown=shown, place=start + 1, nearest=nearest), start, close[0])


class Template:
    """A compiled template; make it with :func:`compile`. Immutable to its users and safe to share by threads."""

    __slots__ = ("_names", "_nodes", "_plans", "_read", "tags", "text")

    def __init__(self, text: str, nodes: tuple[_Node, ...], names: tuple[str, ...]) -> None:
        #: As it was written.
        self.text = text
        #: Every tag in it, in lower case.
        self.tags = frozenset(names)
        self._nodes, self._names = nodes, names
        self._read = _picker(names)
        self._plans: dict[tuple[bool, ...], _Plan] = {}

    def render(self, values: Mapping[str, str]) -> str:
        """The text with ``values`` in it, keys in lower case; a tag without a value is empty. Never raises."""
        try:
            texts = tuple(map(str.strip, self._read(values)))
        except (KeyError, TypeError):
            texts = tuple(_text(values.get(name)) for name in self._names)
        key = tuple(map(bool, texts))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plan(key)
        form, pick = plan
        line = form % pick(texts)
        # Every blank but the plain one is unprintable, so most results need no second look.
        return line if line.isprintable() and "  " not in line else " ".join(line.split())

    def _plan(self, present: tuple[bool, ...]) -> _Plan:
        pieces = list(_flat(self._nodes, present))
        _trim(pieces, 0, str.lstrip)
        _trim(pieces, -1, str.rstrip)
        form = "".join("%s" if isinstance(one, int) else (one or "").replace("%", "%%") for one in pieces)
        plan = (" ".join(form.split()), _picker(tuple(one for one in pieces if isinstance(one, int))))
        if len(self._plans) >= MOST_PLANS:
            self._plans.clear()
        self._plans[present] = plan
        return plan


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _picker(keys: tuple[object, ...]) -> Callable[..., tuple[str, ...]]:
    """``itemgetter`` that always gives a tuple."""
    if not keys:
        return lambda source: ()
    if len(keys) == 1:
        key = keys[0]
        return lambda source: (source[key],)
    return itemgetter(*keys)


def _flat(nodes: tuple[_Node, ...], present: tuple[bool, ...]) -> Iterator[str | int | None]:
    """What is printed: text, the slot of a value, or None where empty tags left a gap."""
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif isinstance(node, _Tag):
            yield next((slot for slot in node.slots if present[slot]), None)
        elif any(present[slot] for slot in node.slots):
            yield from _flat(node.nodes, present)
        else:
            yield None


def _trim(pieces: list[str | int | None], end: int, strip: Callable[[str, str], str]) -> None:
    """Takes off what empty tags left at one end: separators that stand between a gap and the first real thing."""
    gap = False
    while pieces:
        piece = pieces[end]
        if isinstance(piece, int):
            return
        rest = piece and (_stripped(piece, strip) if gap else piece.strip() and piece)
        if rest:
            pieces[end] = rest
            return
        gap = gap or piece is None
        pieces.pop(end)


def _stripped(text: str, strip: Callable[[str, str], str]) -> str:
    before = ""
    while text != before:
        before, text = text, strip(strip(text, SEPARATORS), " \t\r\n\u00a0\u202f\u2009")
    return text


def compile(text: str, known: Mapping[str, Text] | Collection[str] | None = None,
            prefixes: tuple[str, ...] = ()) -> Template:
    """Compiles a template, or raises :class:`TemplateError` at the first thing wrong with it.

    With ``known`` every tag must be one of these or begin with one of ``prefixes`` (``custom_``: names that only
    the other system knows); without it any name will do.
    """
    parser = _Parser(text, known, prefixes)
    nodes = parser.parse()
    return Template(text, nodes, tuple(parser.names))


def escape(text: str) -> str:
    """``text`` so that a template prints it literally (not within a section in a section, where ``]]`` closes)."""
    return _SIGNS.sub(lambda found: found[0] * 2, text)


#: The tags that every order has, whatever its source.
STANDARD_TAGS: dict[str, Text] = {
    "customer": Text("The buyer's name", "Имя покупателя", "Сатып алушының аты"),
    "customer.email": Text("The buyer's e-mail", "Почта покупателя", "Сатып алушының поштасы"),
    "customer.phone": Text("The buyer's phone", "Телефон покупателя", "Сатып алушының телефоны"),
    "order.number": Text("The order's number", "Номер заказа", "Тапсырыс нөмірі"),
    "order.date": Text("The day of payment, 20.11.2026", "День оплаты, 20.11.2026", "Төлем күні, 20.11.2026"),
    "order.note": Text("The note on the order", "Примечание к заказу", "Тапсырысқа ескерту"),
    "note": Text("The note on the order", "Примечание к заказу", "Тапсырысқа ескерту"),
    "order.total": Text("The order's sum, 1480.00", "Сумма заказа, 1480.00", "Тапсырыс сомасы, 1480.00"),
    "line.name": Text("The name of the goods or service", "Название товара или услуги", "Тауар не қызмет атауы"),
    "line.quantity": Text("The quantity", "Количество", "Саны"),
    "line.price": Text("The price of one before discount, 740.00", "Цена за единицу без скидки, 740.00",
                       "Жеңілдіксіз бірлік бағасы, 740.00"),
    "line.sum": Text("The line's sum after discount, 1480.00", "Сумма позиции со скидкой, 1480.00",
                     "Жеңілдіктен кейінгі жол сомасы, 1480.00"),
    "organisation": Text("The seller's name", "Название организации", "Ұйым атауы"),
    "cashier": Text("The cashier's name", "Имя кассира", "Кассирдің аты"),
}


def values_of(order: Order, line: OrderLine, organisation: str, more: Mapping[str, str] | None = None, *,
              zone: tzinfo | None = None, total: Money | None = None) -> dict[str, str]:
    """The value of every tag for one line: the standard ones, over them ``more`` (the tags of hook ``hub_tags``),
    over them the order's, over all the line's own. Keys come out in lower case. ``zone`` is where the day of payment
    is told; without it that of ``settled_at`` itself. ``total`` is :func:`total_of` the order where many lines are
    named. Checks nothing: what is wrong with an order, ``build`` says.
    """
    settled = order.settled_at
    if settled is not None and zone is not None and settled.tzinfo is not None:
        settled = settled.astimezone(zone)
    values = {
        "customer": order.customer.name, "customer.email": order.customer.email,
        "customer.phone": order.customer.phone, "order.number": order.number,
        "order.date": settled.strftime("%d.%m.%Y") if settled else "", "order.note": order.note, "note": order.note,
        "order.total": (total_of(order) if total is None else total).plain(),
        "line.name": line.name, "line.quantity": quantity_text(line.quantity), "line.price": line.price.plain(),
        "line.sum": _sum(line).plain(), "organisation": organisation, "cashier": order.cashier.name,
    }
    for tags in (more or {}, order.tags, line.tags):
        values.update((name.lower(), value) for name, value in tags.items())
    return values


def total_of(order: Order) -> Money:
    """What the order's lines come to, with all discounts and markups; zero while its currencies are mixed."""
    try:
        return Money(sum(one.amount for one in reckon(order, order.currency, _unsaid).values()), order.currency)
    except ValueError:
        return Money(0, order.currency)


def _sum(line: OrderLine) -> Money:
    currency = line.price.currency
    try:
        return Money(line_sum("", line, currency, _unsaid).amount, currency)
    except ValueError:
        return line.amount or line.price


def _unsaid(*_: object, **__: object) -> None:
    """What is wrong with an order, building says."""
