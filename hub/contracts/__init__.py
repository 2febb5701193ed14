"""The plugin contract: the classes a plugin hands over, and everything they take and give. Plain data only."""

from hub.contracts.demo import Demo, Ordered, RunningSimulator
from hub.contracts.driver import Driver, DriverContext, Guard, Job, NoGuard, RegisterGone
from hub.contracts.errors import LeaseLost, Malformed, NeedsAttention, TryLater, Unauthorised
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
    ShiftReport,
    Status,
    StoredDocument,
    StoredLine,
    Submitted,
    Unavailable,
    Uncertain,
)
from hub.contracts.settings import FieldSpec, PluginSettings, describe, load, masked, setting, split_secrets
from hub.contracts.source import (
    Check,
    Event,
    Instead,
    NoOrder,
    Polled,
    ReceiptView,
    Reception,
    Report,
    Source,
    SourceContext,
    State,
    Step,
)
from hub.fiscal import Text

__all__ = [
    "Accepted", "Answer", "Bookmark", "Capabilities", "Check", "Client", "Conflict", "Demo", "Driver", "DriverContext",
    "Duplicate", "Event", "FieldSpec", "Found", "Gateway", "Guard", "Identity", "Instead", "Intake", "Job",
    "LeaseLost", "Malformed", "NeedsAttention", "NoGuard", "NoOrder", "Notice", "Notifier", "Ordered", "Outcome",
    "PluginSettings", "Polled", "Problems", "ReceiptView", "Reception", "Refused", "RegisterGone", "Reply",
    "Report", "Request", "RunningSimulator", "ShiftReport", "Source", "SourceContext", "State", "Status", "Step",
    "StoredDocument", "StoredLine", "Submission", "Submitted", "Text", "TryLater", "Unauthorised", "Unavailable",
    "Uncertain", "describe", "load", "masked", "php_form", "setting", "split_secrets",
]
