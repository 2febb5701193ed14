"""The judge of ``hub torture`` is a program apart."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from hub.torture import judge


def test_the_judge_imports_nothing_of_the_hub() -> None:
    tree = ast.parse(Path(judge.__file__).read_text("utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names} | {
        str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "sqlite3" in names and {name for name in names if name.startswith("hub")} == set()
    assert {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names} == {"psycopg"}


def test_the_judge_runs_where_nothing_is_installed() -> None:
    """-I -S: no site-packages, no folder of ours; on SQLite it needs nothing else."""
    done = subprocess.run([sys.executable, "-I", "-S", judge.__file__, "--help"], capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0 and "torture" in done.stdout, done.stderr
