"""The database: models by aggregate, sessions, leases, secrets, migrations. It holds the work (design.md §6)."""

from hub.store.alarm import Alarm, AlarmNotice, Watcher
from hub.store.api import ApiKey, OnceAnswer, RegisterOrder, Webhook, WebhookDelivery
from hub.store.base import Base, new_public_id, table, utcnow
from hub.store.database import Database, DatabaseAway
from hub.store.devices import DeviceReport, DeviceSearch
from hub.store.notifier import NotifierRow
from hub.store.organisation import (
    AccountValue,
    Audit,
    Installation,
    Lease,
    Organisation,
    PaceRow,
    Picture,
    User,
)
from hub.store.printer import PrinterRow, PrintJob
from hub.store.receipt import (
    Attempt,
    Buyer,
    Delivery,
    Evidence,
    ForeignDocument,
    KeyConflict,
    ReceiptEvent,
    ReceiptRow,
    Record,
    Snapshot,
)
from hub.store.register import FiscalStorage, QueueRegister, Register, Shift, Slip, SlipNotice, StoragePeriod
from hub.store.source import Inbox, KnownPayment, Memory, Queue, RawRequest, ShelfItem, SourceRow, Stranger
from hub.store.wire import WirePart

__all__ = [
    "AccountValue", "Alarm", "AlarmNotice", "ApiKey", "Attempt", "Audit", "Base", "Buyer", "Database", "DatabaseAway",
    "Delivery", "DeviceReport", "DeviceSearch", "Evidence", "FiscalStorage", "ForeignDocument", "Inbox", "Installation",
    "KeyConflict", "KnownPayment", "Lease", "Memory", "NotifierRow", "OnceAnswer", "Organisation", "PaceRow", "Picture",
    "PrintJob", "PrinterRow", "Queue", "QueueRegister", "RawRequest", "ReceiptEvent", "ReceiptRow", "Record",
    "Register", "RegisterOrder", "ShelfItem", "Shift", "Slip", "SlipNotice", "Snapshot", "SourceRow", "StoragePeriod",
    "Stranger", "User", "Watcher", "Webhook", "WebhookDelivery", "WirePart", "new_public_id", "table", "utcnow",
]
