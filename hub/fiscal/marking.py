"""Codes of marked goods: read in any form in which they arrive, written as the tags of each format.

Pure, total and bounded: :func:`parse` never raises and looks at no more than a kilobyte. Layouts, tags and values are
those of fiscal-domain §10.
"""

from __future__ import annotations

from hub.fiscal.marking_check import (
    CheckResult,
    LocalCheck,
    Verdict,
    assigned_status,
    check_result,
    local_check,
    oism_answer,
    permissive,
    permissive_verdict,
    request_code,
    request_result,
)
from hub.fiscal.marking_read import parse
from hub.fiscal.marking_tags import (
    PROCESSING_MODE,
    fraction_tags,
    planned_status,
    read_1162,
    read_1163,
    scanned,
    tag_1162,
    tag_1163,
)
from hub.fiscal.marking_types import GS, Mark, MarkKind

__all__ = ["GS", "PROCESSING_MODE", "CheckResult", "LocalCheck", "Mark", "MarkKind", "Verdict", "assigned_status",
           "check_result", "fraction_tags", "local_check", "oism_answer", "parse", "permissive",
           "permissive_verdict", "planned_status", "read_1162", "read_1163", "request_code", "request_result",
           "scanned", "tag_1162", "tag_1163"]
