"""A broken plugin is set aside with its reason; everyone else goes on."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from hub_plugins.drivers.emulator.driver import EmulatorDriver

from hub import hookimpl
from hub.contracts import Source, TortureSource
from hub.fiscal import Text
from hub.plugins import Catalogue, discover
from tests.core.support import PollingSource, ToyGateway, ToySource, order


@pytest.fixture
def plugin() -> Iterator[Callable[..., EntryPoint]]:
    """Makes a module a plugin: its functions by name, each a hook implementation."""
    made: list[str] = []

    def make(name: str, **functions: Any) -> EntryPoint:
        module = types.ModuleType(f"toy_plugin_{name}")
        for hook, function in functions.items():
            setattr(module, hook, hookimpl(function) if callable(function) else function)
        sys.modules[module.__name__] = module
        made.append(module.__name__)
        return EntryPoint(name, module.__name__, "hub.plugins")

    yield make
    for name in made:
        del sys.modules[name]


def reasons(catalogue: Catalogue) -> dict[str, str]:
    """Why each plugin that was set aside was."""
    return {one.name: one.reason.say("en") for one in catalogue.plugins if one.reason}


def test_a_good_plugin_hands_over_its_classes(plugin: Callable[..., EntryPoint]) -> None:
    found = discover(points=[plugin("good", hub_sources=lambda: [ToySource, PollingSource],
                                    hub_gateways=lambda: [ToyGateway])])
    assert set(found.sources) == {"toy", "polling"} and set(found.gateways) == {"gate"} and reasons(found) == {}
    assert found.plugins[0].provides == ("gateway:gate", "source:toy", "source:polling") or \
        set(found.plugins[0].provides) == {"gateway:gate", "source:toy", "source:polling"}


def _raises() -> Any:
    raise SystemExit("a plugin wants to end the hub")


class Nameless(ToySource):
    name = "Not A Name"


class Abstract(Source):
    name, title, summary, settings = "abstract", Text("A", "А"), Text("A", "А"), ToySource.settings


class Unlike(ToySource):
    name, poll_every = "unlike", "a"  # type: ignore[assignment]


class Deaf(ToySource):
    name = "deaf"

    def receive(self) -> Any:  # type: ignore[override]
        return None


class Incapable(EmulatorDriver):
    name, capabilities = "incapable", None  # type: ignore[assignment]


@pytest.mark.parametrize("hooks, words", [
    ({"hub_sources": lambda: [Nameless]}, "must be a lower-case identifier"),
    ({"hub_sources": lambda: [Abstract]}, "Abstract does not implement receive()"),
    ({"hub_sources": lambda: [ToyGateway]}, "ToyGateway is not a Source"),
    ({"hub_sources": lambda: [Unlike]}, "TypeError"),
    ({"hub_sources": lambda: [Deaf]}, "Deaf.receive must take 1 argument(s)"),
    ({"hub_drivers": lambda: [Incapable]}, "capabilities"),
    ({"hub_simulators": lambda: {"zz": 5}}, "is not callable"),
    ({"hub_demos": lambda: [5]}, "Demo classes"),
    ({"hub_sources": lambda: None}, "TypeError"),
    ({"hub_sources": _raises}, "a plugin wants to end the hub"),
    ({"hub_sources": lambda: [ToySource], "hub_gateways": _raises}, "SystemExit"),
    ({"hub_tags": lambda order, colour: {}}, "colour"),
    ({"hub_nonsense": lambda: ()}, "hub_nonsense"),
])
def test_a_broken_plugin_is_set_aside_whole_and_the_others_go_on(
        plugin: Callable[..., EntryPoint], hooks: dict[str, Any], words: str) -> None:
    found = discover(points=[plugin("bad", **hooks), EntryPoint("gone", "no_such_module_here", "hub.plugins"),
                             plugin("good", hub_sources=lambda: [PollingSource])])
    assert set(found.sources) == {"polling"} and found.gateways == {}
    assert words in reasons(found)["bad"] and "no_such_module_here" in reasons(found)["gone"]
    assert "good" not in reasons(found) and set(found.modules) == {"good"}


def test_two_plugins_with_one_name_the_second_is_set_aside(plugin: Callable[..., EntryPoint]) -> None:
    found = discover(points=[plugin("first", hub_sources=lambda: [ToySource]),
                             plugin("second", hub_sources=lambda: [ToySource])])
    assert "already provided" in reasons(found)["second"] and set(found.sources) == {"toy"}


def test_a_plugin_that_is_switched_off_is_not_even_imported() -> None:
    found = discover({"off"}, [EntryPoint("off", "no_such_module_here", "hub.plugins")])
    assert "HUB_PLUGINS_OFF" in reasons(found)["off"]


def test_a_hook_that_fails_while_working_stops_nothing(plugin: Callable[..., EntryPoint]) -> None:
    found = discover(points=[
        plugin("bad", hub_tags=lambda order: 1 / 0, hub_receipt_built=lambda receipt: 1 / 0,
               hub_receipt_settled=lambda receipt: 1 / 0),
        plugin("good", hub_tags=lambda order: {"colour": order.number})])
    assert found.tags(order("7")) == {"colour": "7"}
    nothing: Any = object()
    assert found.built(nothing, order("7")) is nothing
    found.settled(nothing)


def test_the_installed_plugins_are_whole() -> None:
    found = discover()
    assert reasons(found) == {}
    assert {"emulator"} <= set(found.drivers) and len(found.sources) >= 3


class HalfASource(TortureSource):
    source = "toy"
    template = "<order.number>"
    faults = frozenset({"source_down"})


def test_what_cannot_be_tortured_is_said(plugin: Callable[..., EntryPoint]) -> None:
    found = discover(points=[plugin("half", hub_torture=lambda: [HalfASource]),
                             plugin("none", hub_torture=lambda: [ToySource])])
    assert found.torture_sources == {} and found.torture_registers == {}
    assert "does not implement" in reasons(found)["half"] and "TortureRegister" in reasons(found)["none"]


def test_bundled_plugins_bring_a_register_and_a_source_to_torture() -> None:
    found = discover()
    assert "emulator" in found.torture_registers and "alfacrm" in found.torture_sources
    assert found.torture_registers.keys() <= found.drivers.keys()
    assert found.torture_sources.keys() <= found.sources.keys()
