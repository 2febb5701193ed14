"""KOMTET Kassa's enumerations and ours, both ways (komtet-kassa.md §6)."""

from __future__ import annotations

from hub.fiscal.codes import AgentSign, Form, Kind, Measure, Method, PlannedStatus, Subject, TaxSystem

#: intent -> (kind, whether it is a correction).
INTENTS: dict[str, tuple[Kind, bool]] = {
    "sell": (Kind.SALE, False), "sellReturn": (Kind.SALE_RETURN, False), "buy": (Kind.PURCHASE, False),
    "buyReturn": (Kind.PURCHASE_RETURN, False), "sellCorrection": (Kind.SALE, True),
    "sellReturnCorrection": (Kind.SALE_RETURN, True), "buyCorrection": (Kind.PURCHASE, True),
    "buyReturnCorrection": (Kind.PURCHASE_RETURN, True)}
INTENT_OF = {pair: intent for intent, pair in INTENTS.items()}

#: Numbers, not the bit masks of tag 1055. 3 left the SDKs in 11.2025, old modules still send it.
TAX_SYSTEMS = {0: TaxSystem.OSN, 1: TaxSystem.USN_INCOME, 2: TaxSystem.USN_INCOME_EXPENSE, 3: TaxSystem.ENVD,
               4: TaxSystem.ESHN, 5: TaxSystem.PATENT}
SNO_OF = {one: number for number, one in TAX_SYSTEMS.items()}

FORMS = {"card": Form.ELECTRONIC, "cash": Form.CASH, "prepayment": Form.PREPAID, "credit": Form.CREDIT,
         "counter_provisioning": Form.OTHER}
PAYMENT_OF = {form: name for name, form in FORMS.items()}

RATES = {"no": "none", **{number: f"vat{number}" for number in (
    "0", "5", "7", "10", "18", "20", "22", "105", "107", "110", "118", "120", "122")}}
VAT_OF = {key: name for name, key in RATES.items()}

#: 6 and 7 as the texts of the FFD and of both SDKs have them; the agent's own table has the two the other way round.
METHODS = {"pre_payment_full": Method.FULL_PREPAYMENT, "pre_payment_part": Method.PREPAYMENT,
           "advance": Method.ADVANCE, "full_payment": Method.FULL_PAYMENT, "credit_part": Method.PARTIAL_PAYMENT,
           "credit": Method.CREDIT, "credit_pay": Method.CREDIT_PAYMENT}
METHOD_OF = {method: name for name, method in METHODS.items()}

#: Two words for 12; "contributins" is how the wire spells it.
SUBJECTS = {"product": Subject.COMMODITY, "product_practical": Subject.EXCISE, "work": Subject.JOB,
            "service": Subject.SERVICE, "gambling_bet": Subject.GAMBLING_BET, "gambling_win": Subject.GAMBLING_PRIZE,
            "lottery_bet": Subject.LOTTERY, "lottery_win": Subject.LOTTERY_PRIZE, "rid": Subject.INTELLECTUAL_ACTIVITY,
            "payment": Subject.PAYMENT, "commission": Subject.AGENT_COMMISSION, "pay": Subject.COMPOSITE,
            "composite": Subject.COMPOSITE, "other": Subject.ANOTHER, "property_right": Subject.PROPERTY_RIGHT,
            "non_operating": Subject.NON_OPERATING_GAIN, "insurance": Subject.OTHER_PAYMENTS,
            "sales_tax": Subject.SALES_TAX, "resort_fee": Subject.RESORT_FEE, "deposit": Subject.DEPOSIT,
            "consumption": Subject.EXPENSE, "sole_proprietor_cpi_contributins": Subject.PENSION_INSURANCE_IP,
            "cpi_contributins": Subject.PENSION_INSURANCE,
            "sole_proprietor_cmi_contributins": Subject.MEDICAL_INSURANCE_IP,
            "cmi_contributins": Subject.MEDICAL_INSURANCE, "csi_contributins": Subject.SOCIAL_INSURANCE,
            "casino_payment": Subject.CASINO_PAYMENT, "payment_of_the_money": Subject.AGENT_PAYOUT,
            "atnm": Subject.EXCISE_UNMARKED, "atm": Subject.EXCISE_MARKED, "tnm": Subject.COMMODITY_UNMARKED,
            "tm": Subject.COMMODITY_MARKED}
SUBJECT_OF = {subject: name for name, subject in SUBJECTS.items()}

#: v1 ends at the resort fee (18). Goods that FFD 1.2 tells apart by their marking are goods there, excisable or not;
#: for what else came later v1 has no word.
SUBJECT_OF_V1 = {subject: name for subject, name in SUBJECT_OF.items() if subject.value <= Subject.RESORT_FEE.value} | {
    Subject.EXCISE_UNMARKED: "product_practical", Subject.EXCISE_MARKED: "product_practical",
    Subject.COMMODITY_UNMARKED: "product", Subject.COMMODITY_MARKED: "product"}

MEASURES = {int(one): one for one in Measure}
#: v1 has words instead; what is not among them is a piece, as with the vendor ("шт." too).
UNITS = {"шт": Measure.PIECE, "г": Measure.GRAM, "кг": Measure.KILOGRAM, "т": Measure.TONNE, "см": Measure.CENTIMETRE,
         "дм": Measure.DECIMETRE, "м": Measure.METRE, "кв. см": Measure.SQUARE_CENTIMETRE,
         "кв. дм": Measure.SQUARE_DECIMETRE, "кв. м": Measure.SQUARE_METRE, "мл": Measure.MILLILITRE,
         "л": Measure.LITRE, "куб. м": Measure.CUBIC_METRE, "час": Measure.HOUR, "сутки": Measure.DAY,
         "мин": Measure.MINUTE, "с": Measure.SECOND}
UNIT_OF = {measure: word for word, measure in UNITS.items()}

AGENTS = {"bank_payment_agent": AgentSign.BANK_PAYING_AGENT, "bank_payment_subagent": AgentSign.BANK_PAYING_SUBAGENT,
          "payment_agent": AgentSign.PAYING_AGENT, "payment_subagent": AgentSign.PAYING_SUBAGENT,
          "solicitor": AgentSign.ATTORNEY, "commissionaire": AgentSign.COMMISSION_AGENT, "agent": AgentSign.ANOTHER}
AGENT_OF = {sign: name for name, sign in AGENTS.items()}

#: 5 and 6 say of a thing that is being sold what 1 and 2 say of one that was.
PLANNED = {1: PlannedStatus.PIECE_SOLD, 2: PlannedStatus.MEASURED_SOLD, 3: PlannedStatus.PIECE_RETURNED,
           4: PlannedStatus.MEASURED_RETURNED, 5: PlannedStatus.PIECE_SOLD, 6: PlannedStatus.MEASURED_SOLD,
           255: PlannedStatus.UNCHANGED}

MARKS = ("unknown", "ean8", "ean13", "itf14", "gs10", "gs1m", "short", "fur", "egais20", "egais30")
EMPLOYEES = ("courier", "cashier", "driver")

assert len(SUBJECT_OF) == 31 and SUBJECT_OF[Subject.COMPOSITE] == "composite", "one word for each on our way out"
