"""Finds plugins by their entry points, checks what they hand over, and quarantines the broken ones.

A plugin that fails to import, raises in a hook, or hands over a class that breaks the contract is set aside with its
reason on its card; every other plugin goes on.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy
import structlog

from hub import PROJECT, hookspecs
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
from hub.contracts.torture import REGISTER_FAULTS, SOURCE_FAULTS
from hub.fiscal import Order, Receipt, Text
from hub.testing.shape import class_problems

GROUP = "hub.plugins"
log = structlog.get_logger("hub.plugins")
C = TypeVar("C", bound=type)

#: hook -> (attribute of Catalogue, base class)
_KINDS: Mapping[str, tuple[str, type]] = {
    "hub_sources": ("sources", Source), "hub_gateways": ("gateways", Gateway),
    "hub_drivers": ("drivers", Driver), "hub_notifiers": ("notifiers", Notifier),
    "hub_printers": ("printers", Printer)}


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """One installed plugin. ``reason`` is set when it is quarantined."""

    name: str
    module: str
    version: str
    provides: tuple[str, ...] = ()
    reason: Text | None = None


@dataclass
class Catalogue:
    """All that plugins hand over, by name, and the plugins themselves."""

    sources: dict[str, type[Source]] = field(default_factory=dict)
    gateways: dict[str, type[Gateway]] = field(default_factory=dict)
    drivers: dict[str, type[Driver]] = field(default_factory=dict)
    notifiers: dict[str, type[Notifier]] = field(default_factory=dict)
    printers: dict[str, type[Printer]] = field(default_factory=dict)
    simulators: dict[str, Callable[[list[str]], int]] = field(default_factory=dict)
    demos: dict[str, type[Demo]] = field(default_factory=dict)
    #: Demos of their own name, by that name.
    scenarios: dict[str, type[Scenario]] = field(default_factory=dict)
    #: Gateways' demos, by their name; no name is a scenario's too.
    relays: dict[str, type[Relay]] = field(default_factory=dict)
    #: What ``hub torture`` breaks, by the driver or source that talks to it.
    torture_registers: dict[str, type[TortureRegister]] = field(default_factory=dict)
    torture_sources: dict[str, type[TortureSource]] = field(default_factory=dict)
    plugins: list[PluginInfo] = field(default_factory=list)
    modules: dict[str, Any] = field(default_factory=dict)
    _implementations: dict[str, list[tuple[str, Callable[..., Any]]]] = field(default_factory=dict)

    def connector(self, name: str) -> type[Source] | type[Gateway] | None:
        """The source or gateway class of that name."""
        return self.sources.get(name) or self.gateways.get(name)

    # -- hooks that are called while working ---------------------------------------------------------------------

    def tags(self, order: Order) -> dict[str, str]:
        """``hub_tags`` of all plugins; one that raises contributes nothing and is logged."""
        tags: dict[str, str] = {}
        for answer in self._each("hub_tags", order=order):
            tags.update(answer or {})
        return tags

    def built(self, receipt: Receipt, order: Order) -> Receipt:
        """``hub_receipt_built`` of all plugins, one after another."""
        for name, call in self._implementations.get("hub_receipt_built", ()):
            try:
                changed = _call(call, {"receipt": receipt, "order": order})
            except Exception as problem:
                log.error("hook_failed", plugin=name, hook="hub_receipt_built", error=repr(problem))
                continue
            receipt = changed if isinstance(changed, Receipt) else receipt
        return receipt

    def settled(self, receipt: ReceiptView) -> None:
        """``hub_receipt_settled`` of all plugins."""
        for _ in self._each("hub_receipt_settled", receipt=receipt):
            pass

    def blueprints(self) -> Iterator[tuple[str, Any]]:
        """(plugin, blueprint) of all plugins."""
        for name, call in self._implementations.get("hub_blueprints", ()):
            try:
                for one in call() or ():
                    yield name, one
            except Exception as problem:
                log.error("hook_failed", plugin=name, hook="hub_blueprints", error=repr(problem))

    def commands(self) -> Iterator[Callable[[Any], None]]:
        """Subcommands of all plugins."""
        for answer in self._each("hub_commands"):
            yield from answer or ()

    def _each(self, hook: str, **arguments: Any) -> Iterator[Any]:
        for name, call in self._implementations.get(hook, ()):
            try:
                yield _call(call, arguments)
            except Exception as problem:
                log.error("hook_failed", plugin=name, hook=hook, error=repr(problem))


def _call(call: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """Calls an implementation with those arguments of its hook that it names, as pluggy does."""
    names = inspect.signature(call).parameters
    return call(**{name: value for name, value in arguments.items() if name in names})


def installed() -> list[EntryPoint]:
    """Every entry point of the group, in order of name."""
    own = "kassahub"
    # Ours first: a stranger's plugin must not take the name of a bundled one, and with it its settings and secrets.
    return sorted(entry_points(group=GROUP), key=lambda one: (
        one.dist is None or one.dist.name.lower() != own, one.name))


#: Hooks that hand over what plays the other side: a hub at work needs none of it.
PRACTICE = frozenset({"hub_demos", "hub_simulators", "hub_torture"})


def discover(off: Iterable[str] = (), points: Iterable[EntryPoint] | None = None, *,
             practice: bool = True) -> Catalogue:
    """Loads every plugin that is not switched off and gives what they hand over; simulators and demos only for
    ``practice``."""
    catalogue = Catalogue()
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    for point in installed() if points is None else points:
        version = point.dist.version if point.dist else ""
        if point.name in set(off):
            catalogue.plugins.append(PluginInfo(point.name, point.value, version, (), Text(
                "Switched off by HUB_PLUGINS_OFF.", "Выключен переменной HUB_PLUGINS_OFF.")))
            continue
        try:
            module = point.load()
            manager.register(module, name=point.name)
            # A hook implementation with arguments its specification lacks is the author's mistake: said, not ignored.
            manager.check_pending()
            provides = _collect(catalogue, manager, point.name, module, practice)
        except BaseException as problem:
            if isinstance(problem, (KeyboardInterrupt, GeneratorExit)):
                raise
            if manager.has_plugin(point.name):
                manager.unregister(name=point.name)
            log.error("plugin_quarantined", plugin=point.name, error=repr(problem))
            catalogue.plugins.append(PluginInfo(point.name, point.value, version, (), Text(
                "The plugin is set aside: {error}. Update or remove it.",
                "Плагин отложен: {error}. Обновите или удалите его.",
                params={"error": _words(problem)})))
            continue
        catalogue.modules[point.name] = module
        catalogue.plugins.append(PluginInfo(point.name, point.value, version, tuple(provides)))
    return catalogue


def _words(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"[:300]


def _collect(catalogue: Catalogue, manager: pluggy.PluginManager, name: str, module: Any,
             practice: bool = True) -> list[str]:
    """Calls a plugin's hooks; nothing of it enters the catalogue unless all of it holds."""
    provides: list[str] = []
    found: list[tuple[dict[str, Any], str, Any]] = []
    later: list[tuple[str, Callable[..., Any]]] = []
    for caller in manager.get_hookcallers(module) or ():
        if not practice and caller.name in PRACTICE:
            continue
        implementation: Callable[..., Any] = next(
            one.function for one in caller.get_hookimpls() if one.plugin is module)
        if caller.name in _KINDS:
            attribute, base = _KINDS[caller.name]
            for kind in implementation():
                check_class(kind, base)
                target = getattr(catalogue, attribute)
                if kind.name in target or any(
                        target is into and kind.name == other for into, other, _ in found):
                    raise ValueError(f"{attribute[:-1]} {kind.name!r} is already provided by another plugin")
                found.append((target, kind.name, kind))
                provides.append(f"{attribute[:-1]}:{kind.name}")
        elif caller.name == "hub_demos":
            for demo in implementation():
                if isinstance(demo, type) and issubclass(demo, Scenario):
                    _new({**catalogue.scenarios, **catalogue.relays}, demo.name, "demo", name)
                    found.append((catalogue.scenarios, demo.name, demo))
                    provides.append(f"demo:{demo.name}")
                    continue
                if isinstance(demo, type) and issubclass(demo, Relay):
                    _new({**catalogue.scenarios, **catalogue.relays}, demo.name, "demo", name)
                    found.append((catalogue.relays, demo.name, demo))
                    provides.append(f"demo:{demo.name}")
                    continue
                if not (isinstance(demo, type) and issubclass(demo, Demo)):
                    raise TypeError(f"hub_demos must give Demo classes, not {demo!r}")
                _new(catalogue.demos, demo.source, "demo", name)
                found.append((catalogue.demos, demo.source, demo))
                provides.append(f"demo:{demo.source}")
        elif caller.name == "hub_torture":
            for tortured in implementation():
                table, key = _tortured(catalogue, tortured)
                _new(table, key, "torture", name)
                found.append((table, key, tortured))
                provides.append(f"torture:{key}")
        elif caller.name == "hub_simulators":
            for simulator, main in implementation().items():
                if not callable(main):
                    raise TypeError(f"simulator {simulator!r} is not callable")
                _new(catalogue.simulators, simulator, "simulator", name)
                found.append((catalogue.simulators, simulator, main))
                provides.append(f"simulator:{simulator}")
        else:
            later.append((caller.name, implementation))
            provides.append(caller.name)
    for target, key, value in found:
        target[key] = value
    for hook, implementation in later:
        catalogue._implementations.setdefault(hook, []).append((name, implementation))
    return provides


def _tortured(catalogue: Catalogue, kind: Any) -> tuple[dict[str, Any], str]:
    """Where a class for ``hub torture`` belongs, and under which name. TypeError when it is none, or is not whole."""
    base = next((one for one in (TortureRegister, TortureSource)
                 if isinstance(kind, type) and issubclass(kind, one)), None)
    if base is None:
        raise TypeError(f"hub_torture must give TortureRegister or TortureSource classes, not {kind!r}")
    if missing := sorted(getattr(kind, "__abstractmethods__", ())):
        raise TypeError(f"{kind.__name__} does not implement {', '.join(missing)}")
    known = REGISTER_FAULTS if base is TortureRegister else SOURCE_FAULTS
    if unknown := sorted(kind.faults - known.keys()):
        raise TypeError(f"{kind.__name__} does faults that there are not: {', '.join(unknown)}")
    return (catalogue.torture_registers, kind.driver) if base is TortureRegister \
        else (catalogue.torture_sources, kind.source)


def _new(have: Mapping[str, Any], key: str, what: str, plugin: str) -> None:
    """ValueError when a name is taken."""
    if key in have:
        raise ValueError(f"{what} {key!r} is already provided by another plugin than {plugin}")


def check_class(kind: Any, base: type) -> None:
    """TypeError with the reasons when a class cannot serve as ``base``: the same eyes as ``hub plugin check``, but
    for the naming of secrets, which is an author's affair."""
    label = getattr(kind, "__name__", repr(kind))
    if not isinstance(kind, type) or not issubclass(kind, base):
        raise TypeError(f"{label} is not a {base.__name__}")
    settings = getattr(kind, "settings", None)
    names = frozenset(getattr(settings, "_declared_fields", {}))
    problems = class_problems(kind, base.__name__.lower(), names)
    if problems:
        raise TypeError("; ".join(problems))
    for method, needed in _CALLED.items():
        call = getattr(kind, method, None)
        if call is not None and len(inspect.signature(call).parameters) != needed:
            raise TypeError(f"{label}.{method} must take {needed - 1} argument(s)")


#: Methods that the core calls -> parameters with ``self``.
_CALLED = {"receive": 2, "fetch": 2, "report": 2, "handle": 2, "fiscalise": 3, "find": 2, "settle": 2, "send": 2,
           "poll": 2}
