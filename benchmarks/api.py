"""``api``: POST /receipts of the hub's own API over HTTP at 16 connections: key, scope, rate, schema, rules, receipt,
raw request and history, durable before the answer. Yardstick in the same run: the bare view of ``accept``.

    python -m benchmarks.api [--seconds 3] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.accept import SERVERS, _serve, compare, serve_bare

FLOOR = 0.7


def body(number: int) -> bytes:
    """A receipt of one line, as a site sends it."""
    return json.dumps({
        "key": f"order-{number}", "number": str(number),
        "lines": [{"name": "Чай чёрный, 100 г", "price": "740.00", "quantity": "2"}],
        "payments": [{"form": "electronic", "amount": "1480.00"}],
        "customer": {"email": "buyer@example.com"}}, ensure_ascii=False).encode()


def serve_ours(folder: Path, port: int) -> None:
    """The hub's web process with an API shop. The load knows neither keys nor 201: a line of WSGI in front adds the
    key and turns 201 into 200; everything else is the product's own way."""
    from dataclasses import replace
    from typing import Any

    from sqlalchemy import func, select

    from hub import config, logs, office
    from hub.api.keys import MOST_PER_MINUTE, issue
    from hub.bell import Bell
    from hub.plugins import discover
    from hub.store import Database, ReceiptRow, schema
    from hub.store.vault import Vault
    from hub.web.app import create_app

    logs.set_up("ERROR")
    settings = replace(config.load({"HUB_DATA_DIR": str(folder)}), port=port, public_url=f"http://127.0.0.1:{port}")
    db = Database(settings.database_url)
    schema.upgrade(db)
    vault, catalogue = Vault.open(settings.key_file), discover()
    with db.write() as session:
        organisation = office.create_organisation(session, "bench", name="ООО Ромашка", country="RU",
                                                  tax_id="7707083893", tax_system="OSN", default_vat="vat22")
        row = office.add_source(session, vault, "bench", organisation.id, "api", "bench",
                                catalogue.gateways["api"].settings, {})
        _, key = issue(session, "bench", row, "bench", ("receipts.write",), per_minute=MOST_PER_MINUTE)
    app = create_app(settings, db, vault, catalogue, Bell())
    inner = app.wsgi_app

    def with_key(environ: dict[str, Any], start_response: Any) -> Any:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        return inner(environ, lambda status, headers, *rest: start_response(
            "200 OK" if status.startswith("201") else status, headers, *rest))

    def stored() -> int:
        with db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(ReceiptRow)).scalar_one())

    _serve(with_key, port, "/api/v1/receipts", stored)


def main() -> int:
    """Prints one JSON object; 1 when below the floor, or when what was sent is not what is stored."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=SERVERS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    if options.serve:
        if options.serve == "ours":
            serve_ours(options.folder, options.port)
        else:
            serve_bare(options.folder, options.port, options.serve == "stock")
        return 0
    figures = compare("api", FLOOR, options.rounds, options.seconds, "benchmarks.api", (body, b"application/json"))
    print(json.dumps(figures))
    return 0 if figures["ratio"] >= FLOOR and figures["stored"] == figures["sent"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
