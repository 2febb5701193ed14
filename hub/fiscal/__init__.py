"""What a receipt is, by law. Pure: no I/O, no database, no Flask."""

from hub.fiscal.build import Terms, build, shorten
from hub.fiscal.codes import (
    AgentSign,
    CorrectionType,
    Country,
    Ffd,
    Form,
    Kind,
    Measure,
    Method,
    PlannedStatus,
    Rounding,
    Subject,
    Tag,
    TaxSystem,
    measure_of_okei,
)
from hub.fiscal.details import (
    Agent,
    BuyerDetails,
    CashlessDetail,
    Correction,
    Fraction,
    IndustryProperty,
    OperationalProperty,
    Supplier,
    UserProperty,
)
from hub.fiscal.money import Money, NotANumber, decimal, quantity, spread, total
from hub.fiscal.order import Cashier, Customer, Order, OrderLine, Payment
from hub.fiscal.problems import Invalid, Problem
from hub.fiscal.qr import qr_text, read_qr
from hub.fiscal.receipt import FiscalRecord, Receipt, ReceiptLine
from hub.fiscal.returns import left_of, return_of
from hub.fiscal.text import Text, verbatim

__all__ = [
    "Agent", "AgentSign", "BuyerDetails", "Cashier", "CashlessDetail", "Correction", "CorrectionType", "Country",
    "Customer", "Ffd", "FiscalRecord", "Form", "Fraction", "IndustryProperty", "Invalid", "Kind", "Measure",
    "Method", "Money", "NotANumber", "OperationalProperty", "Order", "OrderLine", "Payment", "PlannedStatus",
    "Problem", "Receipt", "ReceiptLine", "Rounding", "Subject", "Supplier", "Tag", "TaxSystem", "Terms", "Text",
    "UserProperty", "build", "decimal", "left_of", "measure_of_okei", "qr_text", "quantity", "read_qr",
    "return_of", "shorten", "spread", "total", "verbatim",
]
