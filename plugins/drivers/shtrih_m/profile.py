"""Who the register is and how it is set: read once when it is opened.

Tables and fields: reference "Tables worth knowing". Their numbers vary by model, so one that is missing is no error,
and where a field matters its value is judged before it is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from hub_plugins.drivers.shtrih_m import answers, commands, errors
from hub_plugins.drivers.shtrih_m.answers import BadAnswer, Parameters
from hub_plugins.drivers.shtrih_m.errors import Refusal
from hub_plugins.drivers.shtrih_m.session import Session

from hub.contracts import Identity, RegisterGone
from hub.fiscal import Text, vat

#: table.field of what is looked at; row 1 unless said.
CUT_MODE, TAX_ACCRUAL, PRINT_ON_CLOSE = (1, 7), (1, 14), (1, 20)
PRINTING_MODE, FFD, EXTENDED_ANSWERS, REPLACEMENT = (17, 7), (17, 17), (17, 36), (17, 71)
FFD_CASHCORE = (10, 29)
SERIAL, INN, RNM, STORAGE = (18, 1), (18, 2), (18, 3), (18, 4)
TAX_SYSTEMS, USER, ADDRESS, PLACE, SENDER = (18, 5), (18, 7), (18, 9), (18, 14), (18, 15)
OFD_HOST = (19, 1)
TAX_TABLE, TAX_GROUPS = 6, 12

#: Value of 17.17: 1 = 1.0, 2 = 1.05, 3 = 1.1, 4 = 1.2.
FFDS = {2: "1.05", 3: "1.1", 4: "1.2"}
#: Value of the field "Начисление налогов": who computes VAT.
BY_DEVICE, BY_HOST = 0, 1
ACCRUAL_NAME = "начисление налогов"
#: Value of 17.71: 20 % becomes 22 % by itself (the host goes on sending group 1), or not.
AUTOMATIC, OFF = 1, 2
#: Values of 17.7.
PRINT, SKIP_NEXT, PRINT_NEVER = 0, 1, 2

#: Groups as the vendor numbers them: hub's rate -> row of table 6.
GROUPS = {"vat20": 1, "vat10": 2, "vat0": 3, "none": 4, "vat120": 5, "vat110": 6, "vat5": 7, "vat7": 8, "vat105": 9,
          "vat107": 10, "vat22": 11, "vat122": 12}
NAMES_OF_GROUPS = {group: key for key, group in GROUPS.items()}
#: Groups of today's main rate in registers that replace 20 % by themselves.
_REPLACED = {"vat22": 1, "vat122": 5}

NOT_REGISTER = Text("What answers there is no cash register of Shtrih-M.",
                    "По этому адресу отвечает не касса Штрих-М.")
NO_STORAGE = Text("The register's fiscal storage does not answer. Check that it is in its place and registered.",
                  "Накопитель кассы не отвечает. Проверьте, что он на месте и касса зарегистрирована.")


@dataclass(frozen=True, slots=True)
class TaxRow:
    """A row of table 6: percent times 100, and the name it is printed with."""

    rate: int
    name: str

    @property
    def key(self) -> str:
        """The hub's rate that the row is by what it says of itself; empty when it says what nobody knows."""
        name = self.name.lower()
        if not self.rate:
            return "none" if "без" in name else "vat0"
        percent = Decimal(self.rate) / 100
        calculated = "/" in name
        return next((one.key for one in reversed(vat.RATES) if one.country == "RU" and one.percent == percent
                     and one.calculated == calculated), "")


@dataclass(frozen=True, slots=True)
class Profile:
    """What was read at ``open``. ``fields`` are the values of settings by (table, field); those that the model has not
    are missing. ``taxes`` is table 6 by group."""

    identity: Identity
    parameters: Parameters
    fields: dict[tuple[int, int], int] = field(default_factory=dict)
    taxes: dict[int, TaxRow] = field(default_factory=dict)
    place: str = ""
    address: str = ""
    ofd: str = ""
    accrual: tuple[int, int] | None = None

    @property
    def host_computes(self) -> bool:
        """Whether VAT sums must be sent."""
        return self.accrual is not None and self.fields.get(self.accrual) == BY_HOST

    @property
    def extended(self) -> bool:
        """Whether a close answers with its time."""
        return self.fields.get(EXTENDED_ANSWERS) == 1

    @property
    def replaces_vat(self) -> bool:
        """Whether the register makes 22 % of 20 % by itself."""
        return self.fields.get(REPLACEMENT) == AUTOMATIC

    def group(self, key: str) -> int:
        """The VAT group of a rate; 0 when the register cannot print it. By its own table, not by its numbering:
        sources disagree about the newest rows."""
        if self.replaces_vat and key in _REPLACED:
            return _REPLACED[key]
        if self.replaces_vat and key in ("vat20", "vat120"):
            return 0
        if not self.taxes:
            return GROUPS.get(key, 0)
        usual = GROUPS.get(key, 0)
        if usual in self.taxes and self.taxes[usual].key == key:
            return usual
        return next((group for group, row in self.taxes.items() if row.key == key), 0)


class Looking:
    """Reads the profile. Fields that the model lacks are left out; a register that does not answer is RegisterGone."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def profile(self) -> Profile:
        """All of it."""
        found = self.who()
        fields = {one: value for one in (CUT_MODE, PRINT_ON_CLOSE, PRINTING_MODE, EXTENDED_ANSWERS, REPLACEMENT)
                  if (value := self.number(*one)) is not None}
        return self._accrual(replace(found, fields=fields, taxes=self._taxes(), address=self.text(*ADDRESS)))

    def who(self) -> Profile:
        """As much of it as says who the register is."""
        session = self.session
        with session.reading():
            kind = answers.device_type(session.ask(commands.DEVICE_TYPE))
            if kind.type != 0:
                raise RegisterGone(NOT_REGISTER, "alien", "address")
            parameters = self._parameters()
            session.has_texts = parameters.error_texts
            full = answers.full_state(session.ask(commands.full_state(session.operator), commands.STATE))
        try:
            storage = answers.storage_status(session.ask(commands.storage(0x01, session.admin)))
        except Refusal as refusal:
            if refusal.code == errors.WRONG_PASSWORD:
                raise RegisterGone(refusal.reason, errors.vendor_code(refusal.code), "admin_password") from refusal
            raise RegisterGone(NO_STORAGE, errors.vendor_code(refusal.code)) from refusal
        except BadAnswer as problem:
            raise RegisterGone(NO_STORAGE, "bad_answer") from problem
        if not storage.number:
            raise RegisterGone(NO_STORAGE, "no_storage")
        found = Profile(Identity("", kind.name, storage.number, firmware=full.firmware), parameters,
                        place=self.text(*PLACE), ofd=self.text(*OFD_HOST))
        return replace(found, identity=self._identity(found, full))

    def _parameters(self) -> Parameters:
        try:
            return answers.parameters(self.session.ask(commands.PARAMETERS))
        except (Refusal, BadAnswer):  # a model before F7h: nothing of the newer things
            return Parameters()

    def _identity(self, found: Profile, full: answers.FullState) -> Identity:
        serial = self.text(*SERIAL) or (str(full.serial) if full.serial else "")
        if not serial:
            raise RegisterGone(Text("The register does not tell its serial number. Have it set by the service centre.",
                                    "Касса не сообщает заводской номер. Обратитесь в сервисный центр."), "no_serial")
        inn, number, systems = self.text(*INN), self.text(*RNM), self.number(*TAX_SYSTEMS) or 0
        if not (inn and number and systems):
            try:
                known = answers.registration(self.session.ask(commands.storage(0x09, self.session.admin)))
                inn, number, systems = inn or known.inn, number or known.number, systems or known.tax_systems
            except (Refusal, BadAnswer):
                pass
        return replace(found.identity, serial=serial, inn=(inn or full.inn).strip(), registration_number=number.strip(),
                       tax_systems=systems, ffd=self._ffd(found.parameters), settlement_place=found.place,
                       ofd_name=found.ofd)

    def _ffd(self, parameters: Parameters) -> str:
        places = [FFD_CASHCORE, FFD] if parameters.cashcore else [FFD]
        if parameters.ffd_table and parameters.ffd_field:
            places.insert(0, (parameters.ffd_table, parameters.ffd_field))
        for place in places:
            value = self.number(*place)
            if value in FFDS:
                return FFDS[value]
        return "1.05"

    def _taxes(self) -> dict[int, TaxRow]:
        found: dict[int, TaxRow] = {}
        for row in range(1, TAX_GROUPS + 1):
            rate = self.number(TAX_TABLE, 1, row)
            if rate is None:
                break
            found[row] = TaxRow(rate, self.text(TAX_TABLE, 2, row))
        return found

    def _accrual(self, found: Profile) -> Profile:
        """The field "who computes VAT". The number in F7h lies on some models: its name is looked at."""
        for place in (TAX_ACCRUAL, *((1, number) for number in range(1, 41) if number != TAX_ACCRUAL[1])):
            name = self._field_name(*place)
            if name is None and place != TAX_ACCRUAL:
                break
            if name is not None and name.lower().startswith(ACCRUAL_NAME):
                value = self.number(*place)
                if value is not None:
                    return replace(found, fields={**found.fields, place: value}, accrual=place)
        return found

    # -- fields --------------------------------------------------------------------------------------------------

    def raw(self, table: int, number: int, row: int = 1) -> bytes | None:
        """A field's bytes; None when the model has none of that number."""
        try:
            return self.session.ask(commands.read_table(self.session.admin, table, row, number))
        except Refusal as refusal:
            if refusal.code == errors.WRONG_PASSWORD:
                raise RegisterGone(refusal.reason, errors.vendor_code(refusal.code), "admin_password") from refusal
            return None

    def number(self, table: int, number: int, row: int = 1) -> int | None:
        """A field that holds a number."""
        data = self.raw(table, number, row)
        return None if data is None else int.from_bytes(data[:8], "little")

    def text(self, table: int, number: int, row: int = 1) -> str:
        """A field that holds a text; empty when there is none."""
        data = self.raw(table, number, row)
        return "" if data is None else answers.text(data)

    def _field_name(self, table: int, number: int) -> str | None:
        try:
            data = self.session.ask(commands.field_structure(self.session.admin, table, number))
        except Refusal:
            return None
        return answers.text(data[:40])


#: Since when the main rate is 22 %.
NEW_RATE = date(2026, 1, 1)
