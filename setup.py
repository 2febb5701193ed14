"""Packaging of kassahub: one distribution, three import packages.

``hub`` is the product, ``hub_plugins`` (folder plugins/) what ships with it and comes in through the same
entry points as anyone's plugin, ``hub_templates`` (folder templates/) its pages, receipt templates and mails.
"""

from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
ROOMS = {"hub": HERE / "hub", "hub_plugins": HERE / "plugins", "hub_templates": HERE / "templates"}


def packages() -> list[str]:
    """Every folder with an ``__init__.py`` below the three roots, as dotted names."""
    found = []
    for name, root in ROOMS.items():
        for init in sorted(root.rglob("__init__.py")):
            found.append(".".join([name, *init.parent.relative_to(root).parts]))
    return found


def requirements(file: str) -> list[str]:
    """The names and ranges of a ``*.in`` file, without comments."""
    lines = (HERE / file).read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip() and not line.startswith("-")]


DATA = ["*.html", "*.txt", "*.css", "*.js", "*.svg", "*.png", "*.ttf", "*.po", "*.mo", "*.ini", "*.mako",
        "*.yaml", "*.md", "*.json", "*.tmpl", "*.LICENSE", "py.typed"]

setup(
    name="kassahub",
    version="0.1.0",
    description="Open integration hub for fiscal receipts: a paid order becomes exactly one fiscal receipt",
    long_description=(HERE / "README.md").read_text(encoding="utf-8") if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=packages(),
    package_dir={name: str(root.relative_to(HERE)) for name, root in ROOMS.items()},
    package_data={name: [pattern for one in DATA for pattern in (one, f"**/{one}")] for name in ROOMS},
    install_requires=requirements("requirements.in"),
    extras_require={
        "postgresql": requirements("requirements-postgresql.in"),
        "redis": requirements("requirements-redis.in"),
        "dev": requirements("requirements-dev.in"),
    },
    entry_points={
        "console_scripts": ["hub = hub.cli:main"],
        "hub.plugins": [
            "api = hub.api.own",
            "emulator = hub_plugins.drivers.emulator",
            "shtrih_m = hub_plugins.drivers.shtrih_m",
            "escpos = hub_plugins.drivers.escpos",
            "bitrix = hub_plugins.bitrix",
            "bitrix24 = hub_plugins.bitrix24",
            "alfacrm = hub_plugins.alfacrm",
            "komtet = hub_plugins.komtet",
            "email = hub_plugins.notifiers.email",
            "telegram = hub_plugins.notifiers.telegram",
        ],
    },
)
