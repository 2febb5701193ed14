"""The plugin contract: the classes a plugin hands over, and everything they take and give. Plain data only."""

from hub.contracts.demo import (
    Demo,
    Expected,
    Ordered,
    PlayedRegister,
    Relay,
    RunningSimulator,
    Scenario,
    Stage,
    Till,
    Told,
)
from hub.contracts.driver import TURNED_AWAY, Driver, DriverContext, Guard, Heard, Job, NoGuard, RegisterGone
from hub.contracts.errors import LeaseLost, Malformed, NeedsAttention, TryLater, Unauthorised
from hub.contracts.exchange import LONGEST_CALL, Call, Exchanged
from hub.contracts.gateway import Accepted, Conflict, Duplicate, Gateway, Intake, Problems, Submission
from hub.contracts.http import Answer, Client, Reply, Request, php_form
from hub.contracts.notifier import Notice, Notifier
from hub.contracts.outcomes import (
    Bookmark,
    Capabilities,
    Found,
    Identity,
    Outcome,
    Refused,
    SettingCheck,
    ShiftReport,
    Status,
    StoredDocument,
    StoredLine,
    Submitted,
    Unavailable,
    Uncertain,
)
from hub.contracts.outgoing import Outgoing
from hub.contracts.pace import Pace
from hub.contracts.payments import Button, SourcePayment, Verdict
from hub.contracts.printer import Printer, Sheet
from hub.contracts.setting_checks import clock_check
from hub.contracts.settings import FieldSpec, PluginSettings, describe, load, masked, setting, split_secrets
from hub.contracts.shelf import Item, Shelf
from hub.contracts.source import (
    AccountMemory,
    Check,
    Colour,
    Event,
    Finding,
    Instead,
    NoOrder,
    PaymentDesk,
    Polled,
    ReceiptView,
    Reception,
    RegisterView,
    Report,
    Source,
    SourceContext,
    State,
    Step,
    Withdrawn,
)
from hub.contracts.torture import TortureRegister, TortureSource
from hub.contracts.wire import Probing, Transport, mask
from hub.fiscal import Text

__all__ = [
    "LONGEST_CALL", "TURNED_AWAY", "Accepted", "AccountMemory", "Answer", "Bookmark", "Button", "Call", "Capabilities",
    "Check", "Client", "Colour", "Conflict", "Demo", "Driver", "DriverContext", "Duplicate", "Event", "Exchanged",
    "Expected", "FieldSpec", "Finding", "Found", "Gateway", "Guard", "Heard", "Identity", "Instead", "Intake", "Item",
    "Job", "LeaseLost", "Malformed", "NeedsAttention", "NoGuard", "NoOrder", "Notice", "Notifier", "Ordered", "Outcome",
    "Outgoing", "Pace", "PaymentDesk", "PlayedRegister", "PluginSettings", "Polled", "Printer", "Probing", "Problems",
    "ReceiptView", "Reception", "Refused", "RegisterGone", "RegisterView", "Relay", "Reply", "Report", "Request",
    "RunningSimulator", "Scenario", "SettingCheck", "Sheet", "Shelf", "ShiftReport", "Source", "SourceContext",
    "SourcePayment", "Stage", "State", "Status", "Step", "StoredDocument", "StoredLine", "Submission", "Submitted",
    "Text", "Till", "Told", "TortureRegister", "TortureSource", "Transport", "TryLater", "Unauthorised", "Unavailable",
    "Uncertain", "Verdict", "Withdrawn", "clock_check", "describe", "load", "mask", "masked", "php_form", "setting",
    "split_secrets",
]
