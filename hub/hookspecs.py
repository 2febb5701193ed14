"""Every hook a plugin can implement. Mark the implementations with ``hub.hookimpl``.

Hooks hand over classes and callables; the classes do the work (hub.contracts). A hook's name says what comes back.
"""

from __future__ import annotations

# mypy: disable-error-code="empty-body"
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hub import hookspec
from hub.contracts import (
    Demo,
    Driver,
    Gateway,
    Notifier,
    Printer,
    ReceiptView,
    Relay,
    Scenario,
    Source,
    TortureRegister,
    TortureSource,
)
from hub.fiscal import Order, Receipt

if TYPE_CHECKING:
    from flask import Blueprint


@hookspec
def hub_sources() -> Iterable[type[Source]]:
    """Order sources: CRM, CMS and shops that tell us about paid orders."""


@hookspec
def hub_gateways() -> Iterable[type[Gateway]]:
    """Gateways: servers that speak a fiscal service's API to the shop modules written for it."""


@hookspec
def hub_drivers() -> Iterable[type[Driver]]:
    """Drivers of registers, on a wire or in a cloud."""


@hookspec
def hub_notifiers() -> Iterable[type[Notifier]]:
    """Ways to tell a person something."""


@hookspec
def hub_printers() -> Iterable[type[Printer]]:
    """Plain printers: copies of receipts and slips beside the register."""


@hookspec
def hub_tags(order: Order) -> Mapping[str, str]:
    """More template tags for an order: name -> text."""


@hookspec
def hub_receipt_built(receipt: Receipt, order: Order) -> Receipt | None:
    """A last change before validation: another receipt, or None to leave it."""


@hookspec
def hub_receipt_settled(receipt: ReceiptView) -> None:
    """A receipt has reached a final state. Called from a delivery, at least once; must not block."""


@hookspec
def hub_blueprints() -> Iterable[Blueprint]:
    """More pages, mounted below /x/<plugin>/ behind the login."""


@hookspec
def hub_commands() -> Iterable[Callable[[Any], None]]:
    """More subcommands: each is called with argparse's subparsers and adds itself."""


@hookspec
def hub_demos() -> Iterable[type[Demo] | type[Scenario] | type[Relay]]:
    """Stories for ``hub demo``: orders that a simulator sends, and what it was told. Scenarios and
    gateways' relays: ``hub demo NAME``."""


@hookspec
def hub_simulators() -> Mapping[str, Callable[[list[str]], int]]:
    """Programs that play the other side: name -> main(argv), run by ``hub simulate NAME``."""


@hookspec
def hub_torture() -> Iterable[type[TortureRegister] | type[TortureSource]]:
    """Registers and sources for ``hub torture``: simulators that are broken on purpose, and what they really did."""
