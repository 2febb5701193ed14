"""Schemathesis over the whole API through the WSGI door: no 5xx, no status and no body that the document lacks.

Examples are derived from the test's name (derandomised) and few: the same ones on every run.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from hub.web.api.app import described
from hub.web.api.document import document
from tests.api.support import Shop, body, open_shop

#: Examples of right and of wrong calls for each operation. What only the database can answer shows in few.
EXAMPLES = {"sqlite": 5, "postgresql": 2}
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
          response_schema_conformance, unsupported_method, negative_data_rejection, ignored_auth)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def lived_in(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop with something of everything, so that addresses with an id lead somewhere. On either database: they differ
    in what they take."""
    folder, environ = tmp_path_factory.mktemp("conformance"), {}
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "hub.db")
    else:
        address = request.getfixturevalue("postgresql").create("conformance", "hub_template")
        environ["HUB_DATABASE_URL"] = address.replace("+psycopg", "")
    shop = open_shop(folder, **environ)
    shop.more["examples"] = EXAMPLES[request.param]
    register = shop.world.register()
    printed = shop.post("/receipts", body()).json["id"]
    shop.print(printed, register)
    shop.post("/receipts", body("bad", payments=[{"form": "cash", "amount": "1"}]))
    hook = shop.post("/webhooks", {"url": "https://shop.example/hub"}).json["id"]
    message = shop.post(f"/webhooks/{hook}/test").json["id"]
    order = shop.post(f"/registers/{register.public_id}/orders", {"command": "x_report"}).json["id"]
    shop.more.update(receipt_id=printed, webhook_id=hook, delivery_id=message, register_id=register.public_id,
                     order_id=order, shift_id="shf_none")
    yield shop
    shop.world.db.close()


PATHS = document(described(Flask("document")))["paths"]
OPERATIONS = [(method.upper(), path) for path, methods in PATHS.items() for method in methods if method != "parameters"]


@pytest.mark.parametrize("method, path", OPERATIONS)
def test_every_call_ends_as_the_document_says(method: str, path: str, lived_in: Shop) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", lived_in.world.app)
    operation = schema[path][method]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(max_examples=lived_in.more["examples"], derandomize=True, deadline=None, database=None,
                  phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        def try_one(case: Any) -> None:
            for name in case.path_parameters or {}:
                # Two of three go to what exists; the rest keep what was made up.
                if len(str(case.path_parameters[name])) % 3:
                    case.path_parameters[name] = lived_in.more[name]
            case.call_and_validate(headers={"Authorization": f"Bearer {lived_in.key}"}, checks=CHECKS)

        try:
            try_one()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # a call without anything that could be wrong
