"""Runs a contract suite inside a test and says which of its tests fail: the suites themselves are proven so."""

from __future__ import annotations

import atexit
import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from hub.testing.scaffold import Kind, new_plugin


def failures(suite: type[Any], only: str = "", quick: bool = False) -> dict[str, str]:
    """test name (with its parameters) -> what it said, of every test that fails. ``only``: one test. ``quick``: without
    the fault that takes its time."""
    found: dict[str, str] = {}
    setup, teardown = getattr(suite, "setup_class", None), getattr(suite, "teardown_class", None)
    if setup:
        setup()
    try:
        for name, arguments in _cases(suite, only):
            if quick and "slow" in arguments.values():
                continue
            test = getattr(suite(), name)
            with tempfile.TemporaryDirectory() as folder:
                if "tmp_path" in signature(test).parameters:
                    arguments = {**arguments, "tmp_path": Path(folder)}
                try:
                    test(**arguments)
                except (Exception, pytest.fail.Exception) as problem:
                    words = [str(one) for one in arguments.values() if not isinstance(one, Path)]
                    found[f"{name}[{'-'.join(words)}]" if words else name] = str(problem)
    finally:
        if teardown:
            teardown()
    return found


def _cases(suite: type[Any], only: str) -> Iterator[tuple[str, dict[str, Any]]]:
    names = [name for name in dir(suite) if name.startswith("test_") and only in ("", name)]
    assert names, f"{suite.__name__} has no test {only!r}"
    for name in names:
        marks = [mark for mark in getattr(getattr(suite, name), "pytestmark", ()) if mark.name == "parametrize"]
        for values in itertools.product(*(mark.args[1] for mark in marks)):
            yield name, {mark.args[0]: value for mark, value in zip(marks, values, strict=True)}


def assert_caught(suite: type[Any], by: str) -> dict[str, str]:
    """Fails unless the named test fails for this suite; gives what it said."""
    found = failures(suite, by, quick=True)
    assert found, f"{by} let {suite.__name__} pass"
    return found


@cache
def scaffolded(kind: Kind) -> Any:
    """The module that a freshly generated plugin of that kind ships its suite in (``.TestToy...``)."""
    folder = Path(tempfile.mkdtemp(prefix=f"kassahub-toy-{kind}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    new_plugin(f"toy_{kind}", kind, folder)
    sys.path.insert(0, str(folder))
    return import_module(f"kassahub_toy_{kind}.contract")
