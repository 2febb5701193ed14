"""What an owner does with plain printers: adds, changes, pauses, tries and takes them away. As hub.office."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from hub.contracts import PluginSettings, split_secrets
from hub.fiscal import Text
from hub.office import Wrong, audit, checked_settings
from hub.store import PrinterRow, PrintJob, Queue, Register, SourceRow, utcnow
from hub.store.vault import KeyMissing, Vault

#: What a printer may copy the papers of, beside "all".
SCOPES: Mapping[str, type[Any]] = {"queue": Queue, "source": SourceRow, "register": Register}


def _scope(session: Session, organisation_id: int, scope: str, scope_id: int | None) -> dict[str, Any]:
    """The columns of a scope. Wrong when it names no row of the organisation."""
    if scope == "all":
        return {"scope": "all", "scope_id": None}
    kind = SCOPES.get(scope)
    row = session.get(kind, scope_id) if kind is not None and scope_id else None
    if row is None or row.organisation_id != organisation_id:
        raise Wrong({"scope": Text("Choose whose receipts it copies.", "Выберите, чьи чеки он копирует.")})
    return {"scope": scope, "scope_id": scope_id}


def add_printer(session: Session, vault: Vault, actor: str, organisation_id: int, plugin: str, title: str,
                schema: type[PluginSettings], given: Mapping[str, Any], *, scope: str = "all",
                scope_id: int | None = None, receipts: bool = True, slips: bool = False) -> PrinterRow:
    """Adds a printer: what is recorded from now on is copied on it. Raises Wrong."""
    opened, secret = split_secrets(schema, checked_settings(schema, given))
    sealed, key_id = vault.seal(secret)
    row = PrinterRow(organisation_id=organisation_id, plugin=plugin, title=title.strip()[:128] or plugin,
                     settings=opened, secrets=sealed, key_id=key_id, receipts=receipts, slips=slips,
                     **_scope(session, organisation_id, scope, scope_id))
    session.add(row)
    session.flush()
    audit(session, actor, "printer.add", row.public_id, organisation_id, plugin=plugin)
    return row


def change_printer(session: Session, vault: Vault, actor: str, row: PrinterRow, schema: type[PluginSettings],
                   given: Mapping[str, Any], *, title: str, scope: str, scope_id: int | None, receipts: bool,
                   slips: bool) -> None:
    """Changes a printer. Raises Wrong. What waits is tried at once."""
    try:
        old = vault.unseal(row.secrets, row.key_id)
    except KeyMissing:
        old = {}  # the secrets are entered anew
    opened, secret = split_secrets(schema, checked_settings(schema, given, {**row.settings, **old}))
    row.settings = opened
    row.secrets, row.key_id = vault.seal(secret)
    row.title, row.receipts, row.slips = title.strip()[:128] or row.plugin, receipts, slips
    for name, value in _scope(session, row.organisation_id, scope, scope_id).items():
        setattr(row, name, value)
    row.settings_version += 1
    audit(session, actor, "printer.change", row.public_id, row.organisation_id)
    printer_works(session, row)


def printer_works(session: Session, row: PrinterRow) -> None:
    """The cause of its failures may be mended: what waits is due at once."""
    row.failures, row.last_error = 0, None
    session.execute(update(PrintJob).where(PrintJob.printer_id == row.id, PrintJob.state == "pending")
                    .values(due_at=utcnow()))


def print_test(session: Session, actor: str, row: PrinterRow) -> None:
    """Plans a sheet with every letter, a code and the picture. Whatever waited before it is tried, too."""
    session.add(PrintJob(organisation_id=row.organisation_id, printer_id=row.id, what="test",
                         about=f"test:{utcnow().isoformat()}"))
    session.flush()
    printer_works(session, row)
    audit(session, actor, "printer.test", row.public_id, row.organisation_id)


def switch_printer(session: Session, actor: str, row: PrinterRow, on: bool) -> None:
    """Pauses a printer or lets it go on. What was planned waits; nothing is planned meanwhile."""
    row.enabled = on
    audit(session, actor, "printer.on" if on else "printer.off", row.public_id, row.organisation_id)


def archive_printer(session: Session, actor: str, row: PrinterRow) -> None:
    """Takes a printer away. What waits is not printed."""
    row.archived_at, row.enabled = utcnow(), False
    audit(session, actor, "printer.archive", row.public_id, row.organisation_id)
