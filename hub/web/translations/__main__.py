"""``python -m hub.web.translations``: extracts, updates, compiles; fails while a string has no Russian."""

from __future__ import annotations

import sys

from hub.web.translations import PO, update

missing = update()
for one in missing:
    print(f"no Russian: {one}", file=sys.stderr)
print(f"{PO}: {'complete' if not missing else f'{len(missing)} missing'}")
sys.exit(1 if missing else 0)
