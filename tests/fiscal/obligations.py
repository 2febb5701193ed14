"""What the law and the references oblige a receipt to, line by line in our own words; each with the rules that enforce
it, or the reason why no rule does and where it is seen to instead.

Sections: ``fd`` is the shared reference on the fiscal domain (§§3-6, 8, 10), ``wk`` that on Kazakhstan (§4, §10, and
cash moves of §3). tests/fiscal/test_rules.py holds this list against the table of rules.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Obligation:
    """One thing that can be broken. ``rules`` or ``reason``, never neither."""

    id: str
    says: str
    rules: tuple[str, ...] = ()
    reason: str = ""


def _of(id: str, says: str, *rules: str, reason: str = "") -> Obligation:
    return Obligation(id, says, rules, reason)


TYPE = "a value of an enumeration: nothing else can be held, and a file that says else is not read " \
       "(hub/fiscal/codes.py, hub/fiscal/checking.py)"
REGISTER = "the register or its storage does it and says so"
CLOUD = "a driver's request, not the receipt: the driver of that cloud checks it"

OBLIGATIONS: tuple[Obligation, ...] = (
    # -- fd §3: enumerations -----------------------------------------------------------------------------------------
    _of("fd3.1", "1054 is one of four settlement signs", reason=TYPE),
    _of("fd3.2", "1055 names exactly one tax system", "tax_system_missing"),
    _of("fd3.3", "the tax on imputed income ended in 2021", "tax_system_ended"),
    _of("fd3.4", "1214 is one of seven methods", reason=TYPE),
    _of("fd3.5", "1212 is one of the payment objects", reason=TYPE),
    _of("fd3.6", "objects 30-33 exist only in FFD 1.2", "subject_needs_ffd12"),
    _of("fd3.7", "31 and 33 are goods with a code, 30 and 32 without", "marking_missing", "marking_unexpected",
        "marking_plain_subject"),
    _of("fd3.8", "below FFD 1.2 marked goods stay objects 1 or 2", "marking_not_goods", "subject_needs_ffd12"),
    _of("fd3.9", "object 12 means one thing or another by edition", reason="a label only: hub/fiscal/paper_words.py"),
    _of("fd3.10", "1199 is a rate that the country has", "vat_unknown"),
    _of("fd3.11", "a rate holds from its day to its last; returns and corrections keep that of their original",
        "vat_outdated"),
    _of("fd3.12", "VAT of an item is inside its sum", "vat_sum_differs"),
    _of("fd3.13", "VAT totals go to 1102-1107 or 1115 by rate", reason="computed when the document is written: "
        "hub/fiscal/document.py, Receipt.vat_totals"),
    _of("fd3.14", "prepayments take the calculated rate", "vat_not_calculated"),
    _of("fd3.15", "settlements on handing over take the direct rate", "vat_not_direct"),
    _of("fd3.16", "numbers of rates differ from system to system", reason="each plugin has a table; a number that is "
        "not matched is told as vat_unmapped before there is a receipt"),
    _of("fd3.17", "a rate goes with the tax system (5 and 7 % with the simplified one)", "vat_tax_system"),
    _of("fd3.18", "the agent's sign is one of seven bits", reason=TYPE),
    _of("fd3.19", "with 1222 goes the supplier's INN", "supplier_inn_missing", "supplier_without_agent",
        "supplier_inn_wrong"),
    _of("fd3.20", "phones of agent and supplier are recommended, and have a form", "supplier_phones_missing",
        "phone_wrong"),
    _of("fd3.21", "the document's agent sign (1057) is of FFD 1.05, an item's of all", "agent_on_document"),
    _of("fd3.22", "2108 is one of the measures, and exists in FFD 1.2 instead of a unit's text", "unit_ignored"),
    # -- fd §2 as far as it bounds values ----------------------------------------------------------------------------
    _of("fd2.1", "texts, and tags that hold several, have a longest length", "text_too_long", "group_too_long"),
    _of("fd2.2", "an INN has its length and check digits", "buyer_inn_wrong", "cashier_inn_wrong", "seller_inn_wrong"),
    _of("fd2.3", "codes of countries and documents are digits", "country_wrong", "citizenship_wrong",
        "document_kind_wrong", "industry_body_wrong"),
    _of("fd2.4", "a user property has a name and a value", "user_property_half"),
    _of("fd2.5", "numbers of one byte are 0 to 255", "operation_wrong", "cashless_method_wrong"),
    _of("fd2.9", "a date is one that four bytes hold", "date_impossible"),
    _of("fd2.6", "an electronic receipt names its sender", "sender_missing"),
    _of("fd2.7", "some details exist only in FFD 1.2", "field_needs_ffd12", "fraction_needs_ffd12"),
    _of("fd2.8", "no sum but a discount may lower another", "sum_below_zero"),
    # -- fd §4: money, quantity, checks ------------------------------------------------------------------------------
    _of("fd4.1", "money is whole kopecks, quantities exact decimals, halves round up",
        reason="types: hub/fiscal/money.py refuses a float"),
    _of("fd4.2", "prices, sums and quantities have limits", "too_large"),
    _of("fd4.3", "a quantity has at most six decimals, three on old registers", "quantity_places", "quantity_fine"),
    _of("fd4.4", "an item's sum is price x quantity, a kopeck apart at most", "line_sum_differs"),
    _of("fd4.5", "a discount on the receipt is spread over the items to the kopeck",
        reason="hub/fiscal/reckoning.py does it; what cannot be spread is told there (discount_too_big)"),
    _of("fd4.6", "the total is the sum of the items", reason="Receipt.total is computed from the lines"),
    _of("fd4.7", "payments, net of change, are the total", "sums_differ", "no_payments"),
    _of("fd4.8", "change is given from cash only; what is not cash may not exceed the total", "change_without_cash",
        "cashless_over_total"),
    _of("fd4.9", "some registers round a total down to whole roubles",
        reason="never asked of a register: Terms.rounding changes the lines (hub/fiscal/reckoning.py)"),
    _of("fd4.10", "VAT of a receipt by the sum of items or by turnover", reason=REGISTER + "; totals are not sent as "
        "a condition"),
    _of("fd4.11", "a price of zero is for gifts only", "price_zero"),
    _of("fd4.12", "a receipt of zero is legal for a full offset", reason="legal; an order that comes to zero "
        "otherwise is told as nothing_to_pay by hub/fiscal/build.py"),
    _of("fd4.13", "a price or a payment is never below zero, a quantity is above", "price_negative",
        "quantity_not_positive"),
    _of("fd4.14", "an item has a name; characters that paper lacks are transliterated", "name_missing"),
    _of("fd4.15", "there is a contact on the Internet, or when the buyer gave one", "contact_missing",
        "contact_wrong"),
    _of("fd4.16", "a receipt has items, and its sums one currency", "no_lines", "foreign_currency"),
    # -- fd §5: settlement over time ---------------------------------------------------------------------------------
    _of("fd5.1", "paid and handed over at once: method 4, direct VAT", "vat_not_direct", "credit_unasked"),
    _of("fd5.2", "prepaid: methods 1 and 2, calculated VAT, later 4 with the offset", "vat_not_calculated",
        "prepaid_for_prepayment"),
    _of("fd5.3", "an advance and a payment of credit are about a payment", "subject_not_payment"),
    _of("fd5.4", "handed over unpaid: method 6, the sum as credit", "credit_unpaid"),
    _of("fd5.5", "paid in part: method 5, the rest as credit", "partial_without_credit"),
    _of("fd5.6", "which receipt is due after what was paid and shipped, and none twice",
        reason="hub/fiscal/settlement.py decides it over the order's whole story; one receipt does not show it"),
    _of("fd5.7", "a return has the lines, methods and rates of its original, and no more of them",
        reason="hub/fiscal/returns.py makes it and tells return_exceeds"),
    _of("fd5.8", "an agent who takes cash on delivery names the supplier", "supplier_inn_missing"),
    _of("fd5.9", "prepayment and handing over do not mix in one receipt", "methods_mixed"),
    _of("fd5.10", "on the Internet the place of settlement is the site", "internet_place"),
    _of("fd5.11", "details of cashless payments come to what was paid so", "cashless_sum_differs",
        "cashless_method_wrong"),
    # -- fd §6: corrections ------------------------------------------------------------------------------------------
    _of("fd6.1", "FFD 1.05 corrects sales and purchases only", "correction_kind"),
    _of("fd6.2", "in FFD 1.05 a correction has no items", reason="left out when the document is written: "
        "hub/fiscal/document.py; the lines are kept for VAT and for people"),
    _of("fd6.3", "1173 is own or by order", reason=TYPE),
    _of("fd6.4", "1178 is the day of the original, not of tomorrow", "correction_future", "vat_outdated"),
    _of("fd6.5", "1179 with an order of the tax office, and from FFD 1.1 only with one", "correction_number_missing",
        "correction_number_unasked"),
    _of("fd6.10", "in FFD 1.05 the base of an own decision may say why (1177) and under which number (1179)",
        reason="may, not must: the reference (§6) names the tags of 1174 and demands a number only of an order, and "
        "registers print the base date alone; hub/fiscal/document.py writes what is there"),
    _of("fd6.6", "1177 exists in FFD 1.05 only", "correction_description"),
    _of("fd6.7", "1192 holds the wrong receipt's sign in digits (a number of four bytes), and nothing else",
        "correction_sign_wrong", "correction_property_taken"),
    _of("fd6.8", "a wrong receipt is undone and made anew, two corrections with one base",
        reason="a way of working, not a fault of one receipt: docs/fiscal.md tells of it"),
    _of("fd6.9", "the base date's time is midnight for some drivers", reason="Correction.day is a date: it has none"),
    # -- fd §8: storage, shift, OFD ----------------------------------------------------------------------------------
    _of("fd8.1", "a storage lives 13, 15 or 36 months", reason="hub/registers/health.py warns by Status.storage_until"),
    _of("fd8.2", "a storage stops when the OFD is silent for 30 days", reason="hub/registers/health.py warns from the "
        "third day; " + REGISTER),
    _of("fd8.3", "flags of the storage", reason="hub/registers/health.py, from Status"),
    _of("fd8.4", "a shift lasts 24 hours and is opened before a receipt",
        reason="hub/registers/shifts.py, asked by hub/dispatch/owner.py before each receipt"),
    _of("fd8.5", "documents and receipts are numbered without a gap", reason=REGISTER + "; hub/dispatch/workshop.py "
        "fetches a gap as foreign documents"),
    _of("fd8.6", "the clock does not run behind the last document", reason=REGISTER + "; hub/registers/health.py"),
    _of("fd8.7", "a cloud's receipt is never sent under a second id before the first is settled",
        reason="hub/dispatch/claims.py: Claim.external_id changes only after not_printed"),
    # -- fd §10: marked goods ----------------------------------------------------------------------------------------
    _of("fd10.1", "a code can be read, with its separators, check digit and letters", "marking_unreadable"),
    _of("fd10.2", "in FFD 1.2 a code is whole, or cannot be verified", "marking_unverified"),
    _of("fd10.3", "the form of a code decides the tag inside 1162 or 1163", reason="hub/fiscal/marking_tags.py"),
    _of("fd10.4", "one item, one code, quantity 1 (of a part of a package too), or a measure", "marking_quantity",
        "marking_repeated"),
    _of("fd10.5", "a fraction is a part of one marked package, counted in pieces", "fraction_wrong",
        "fraction_without_marking", "fraction_measure"),
    _of("fd10.6", "the planned status goes with the kind, the measure and a code", "planned_status_kind",
        "planned_status_measure", "planned_status_alone"),
    _of("fd10.7", "the register verifies a code and decides with its answer (2106)", reason=REGISTER),
    _of("fd10.8", "a check in permissive mode travels in 1260", "industry_body_wrong", "field_needs_ffd12"),
    _of("fd10.9", "a prepayment's receipt goes without the code", "marking_prepaid"),
    # -- Kazakhstan --------------------------------------------------------------------------------------------------
    _of("wk4.1", "the operation is a sale, a purchase or the return of one", "correction_unknown"),
    _of("wk4.2", "there is a position that counts", "no_lines"),
    _of("wk4.3", "modifiers of the whole ticket", reason="none are sent: hub/fiscal/reckoning.py spreads them over the "
        "lines"),
    _of("wk4.4", "forms of payment are cash, card, mobile, and credit in the old protocol; each once",
        "payment_form_unknown", "credit_old_protocol", "payment_repeated"),
    _of("wk4.5", "change is not below zero", "change_without_cash"),
    _of("wk4.6", "rounding of lines and total", reason="Terms.rounding changes the lines and RoundType 0 is sent: "
        "hub/fiscal/reckoning.py"),
    _of("wk4.7", "the external number is there and has at most 50 characters", "key_wrong"),
    _of("wk4.8", "the external order number, public link and paper kind", reason=CLOUD),
    _of("wk4.9", "the buyer's e-mail has 50 characters, the phone 20", "text_too_long", "contact_wrong"),
    _of("wk4.10", "the buyer's number has 12 digits, a check digit, and is not the seller's", "buyer_inn_wrong",
        "buyer_is_seller", "seller_inn_wrong"),
    _of("wk4.11", "a return names the ticket it returns", reason="the receipt waits for its original "
        "(hub/store/receipt.py: depends_on) and the driver sends that one's record; the receipt itself "
        "holds none"),
    _of("wk4.12", "offline date and number", reason=CLOUD),
    _of("wk4.13", "a count has three decimals and a limit", "quantity_places", "quantity_not_positive", "too_large"),
    _of("wk4.14", "a price has a limit", "too_large", "price_negative"),
    _of("wk4.15", "tax by its formula, inside the price", "vat_sum_differs"),
    _of("wk4.16", "the kind of tax and a rate of the organisation's list", "vat_unknown", "vat_outdated"),
    _of("wk4.17", "a position's name has 255 characters", "name_missing", "text_too_long"),
    _of("wk4.18", "discount and markup are not below zero", "sum_below_zero"),
    _of("wk4.19", "a section exists", "department_wrong"),
    _of("wk4.20", "units are those of the list", "measure_unknown"),
    _of("wk4.21", "one code, one piece, whole", "marking_quantity", "marking_repeated", "fraction_unknown"),
    _of("wk4.22", "lists of codes, national catalogue and warehouse numbers", reason="not sent: a line holds one code"),
    _of("wk4.23", "lines that are struck out are kept, not counted", reason="Receipt.removed: never in lines"),
    _of("wk4.24", "the sum of a position and of the ticket", "line_sum_differs"),
    _of("wk4.25", "payments less change are the total; what is not cash does not exceed it", "sums_differ",
        "cashless_over_total", "no_payments", "change_without_cash"),
    _of("wk4.26", "payments with their change have fewer than ten digits before the comma", "too_large"),
    _of("wk4.27", "a refund in cash needs the cash", reason=REGISTER + " (code 8); cash moves: wk3.1"),
    _of("wk4.28", "the order of the server's own checks", reason=CLOUD),
    _of("wk10.1", "12 % until 2025, 16 % from 2026; a return keeps the original's", "vat_outdated"),
    _of("wk10.2", "those who pay no VAT send none", reason="the rate `none` has none: hub/fiscal/vat.py"),
    _of("wk10.3", "reduced rates of 5 and 10 % from 2026, 8 % until October 2020", "vat_outdated"),
    _of("wk3.1", "cash in and out: a sum, and not above what the box holds", "cash_move_zero", "cash_move_over",
        "too_large", "foreign_currency"),
    # -- the register's registration ---------------------------------------------------------------------------------
    _of("fit.1", "a receipt fits the register that prints it", "fit_country", "fit_inn", "fit_tax_system", "fit_ffd",
        "fit_internet", "fit_place", "fit_marking", "fit_agent", "fit_electronic"),
)

__all__ = ["OBLIGATIONS", "Obligation"]
