"""Reads code for commits that no step of hub.steps follows: there a process could die where nobody tries it.

A commit is a call of ``submit``, ``submit_all`` or ``_insist``, or ``with db.write()``. It is followed when on every
way on from it (branches, loops, handlers, to the end of the function) a step is passed before the next commit. What a
function calls is judged where it stands, so a function that leaves the step to its caller is found, too.
"""

from __future__ import annotations

import ast
from collections import Counter

COMMITS = ("submit", "submit_all", "_insist")
STEPS = ("steps.at", "self.step")

#: Lines of commits that wait for a step; None where the way has ended.
Open = frozenset[int] | None


def silent(source: str) -> Counter[str]:
    """Function -> how many of its commits no step follows."""
    found: Counter[str] = Counter()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            reading = _Reading()
            reading.ends(reading.block(node.body, frozenset()))
            found[node.name] += len(reading.silent)
    return +found


def _calls(node: ast.AST) -> tuple[int, int]:
    """Commits and steps in a statement, without what is only defined there."""
    commits = passed = 0
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, ast.FunctionDef | ast.Lambda):
            continue
        if isinstance(one, ast.Call):
            name = ast.unparse(one.func)
            passed += name in STEPS
            commits += name.endswith("db.write") or (isinstance(one.func, ast.Attribute) and one.func.attr in COMMITS)
        left.extend(ast.iter_child_nodes(one))
    return commits, passed


def _together(*ways: Open) -> Open:
    goes_on = [one for one in ways if one is not None]
    return frozenset().union(*goes_on) if goes_on else None


class _Reading:
    """One function."""

    def __init__(self) -> None:
        self.silent: set[int] = set()

    def ends(self, waiting: Open) -> None:
        """The function is left."""
        self.silent |= waiting or frozenset()

    def block(self, body: list[ast.stmt], waiting: Open) -> Open:
        for one in body:
            if waiting is None:
                break
            waiting = self._statement(one, waiting)
        return waiting

    def _plain(self, node: ast.AST, waiting: frozenset[int]) -> frozenset[int]:
        commits, passed = _calls(node)
        if commits:
            self.ends(waiting)
            waiting = frozenset({node.lineno})  # type: ignore[attr-defined]
        return frozenset() if passed else waiting

    def _statement(self, one: ast.stmt, waiting: frozenset[int]) -> Open:
        if isinstance(one, ast.FunctionDef | ast.ClassDef):
            return waiting
        if isinstance(one, ast.If):
            waiting = self._plain(one.test, waiting)
            return _together(self.block(one.body, waiting), self.block(one.orelse, waiting))
        if isinstance(one, ast.For | ast.While):
            waiting = self._plain(one.iter if isinstance(one, ast.For) else one.test, waiting)
            once = _together(waiting, self.block(one.body, waiting))
            return self.block(one.orelse, _together(once, self.block(one.body, once)))
        if isinstance(one, ast.With):
            for item in one.items:
                waiting = self._plain(item.context_expr, waiting)
            return self.block(one.body, waiting)
        if isinstance(one, ast.Try):
            done = self.block(one.body, waiting)
            caught = [self.block(each.body, _together(waiting, done)) for each in one.handlers]
            return self.block(one.finalbody, _together(self.block(one.orelse, done), *caught))
        waiting = self._plain(one, waiting)
        if isinstance(one, ast.Return | ast.Raise):
            self.ends(waiting)
            return None
        return waiting
