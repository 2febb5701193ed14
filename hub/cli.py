"""The command ``hub``."""

from __future__ import annotations

import argparse
import gc
import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hub import __version__, config

# Heavy parts are imported by the command that needs them: `hub up` must stay small and start fast.


def _print(value: Any, as_json: bool, lines: Sequence[str]) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1) if as_json else "\n".join(lines))


def _up(options: argparse.Namespace) -> int:
    from hub import up

    settings = config.load()
    return up.run(settings.host, options.port or settings.port, settings.data_dir, options.apart)


def _web(options: argparse.Namespace) -> int:
    gc.disable()  # until it serves: what is loaded stays, and looking through it again and again costs a tenth
    from hub import serve

    return serve.run(config.load())


def _worker(options: argparse.Namespace) -> int:
    gc.disable()  # until it works, as above
    from hub import worker

    return worker.run(config.load(), (options.role,) if options.role else ("jobs", "registers"))


def _demo(options: argparse.Namespace) -> int:
    if options.name:
        from hub import plugins, relay, scenario

        found = plugins.discover(config.load().plugins_off).relays.get(options.name)
        if found is not None:
            return relay.run(found, as_json=options.json, keep=options.keep)

        return scenario.run(options.name, as_json=options.json, keep=options.keep, judge_only=options.judge)
    from hub import demo

    return demo.run(as_json=options.json, keep=options.keep)


def _torture(options: argparse.Namespace) -> int:
    from hub.torture import run
    from hub.torture.stage import Options

    first, _, last = options.seed.partition("-")
    if not first.isdigit() or not (last or first).isdigit():
        print(f"hub: --seed is a number or two, like 7 or 1-20, not {options.seed!r}", file=sys.stderr)
        return 2
    return run.main(Options(
        receipts=options.receipts, seed=0, registers=options.registers, sources=options.sources,
        database=options.database, drivers=tuple(options.drivers.split(",")), source=options.source,
        minutes=options.minutes, broken=options.broken, round=options.round,
        faults=options.faults, rate=options.rate),
        tuple(range(int(first), int(last or first) + 1)), options.json, options.keep)


def _doctor(options: argparse.Namespace) -> int:
    from hub import doctor

    found = doctor.examine(config.load())
    marks = {"good": "✓", "warning": "!", "bad": "✗"}
    lines = []
    for one in found:
        lines.append(f"{marks[one.level]} {one.text.say(options.language)}")
        if one.way_out is not None and one.level != "good":
            lines.append(f"    → {one.way_out.say(options.language)}")
    _print([{"what": one.what, "level": one.level, "text": one.text.say(options.language),
             "way_out": one.way_out.say(options.language) if one.way_out else None} for one in found],
           options.json, lines)
    return 1 if any(one.level == "bad" for one in found) else 0


def _devices(options: argparse.Namespace) -> int:
    """0 when it could look, 1 when it must not (the database is away), 2 for an address that is none."""
    from hub import devices
    from hub.registers.transports import BadAddress
    from hub.store import DatabaseAway

    try:
        found = devices.look(config.load(), options.address, not options.list)
    except BadAddress as problem:
        print(f"hub: {problem.reason.say(options.language)}", file=sys.stderr)
        return 2
    except DatabaseAway as problem:
        print(f"hub: nobody knows which ports are in use, so none was opened: the database cannot be read: {problem}",
              file=sys.stderr)
        return 1
    _print(devices.values(found, options.language) if options.json else None, options.json,
           devices.lines(found, options.language))
    return 0


def _recorded(options: argparse.Namespace, work: Any) -> int:
    """Runs a recording or a replay: 1 when it does not fit or cannot be done, 2 for wrong use."""
    from hub import sessions
    from hub.registers.transports import BadAddress
    from hub.store import DatabaseAway

    try:
        seen, differs = work(sessions)
    except (sessions.Unfit, BadAddress) as problem:
        print(f"hub: {problem.reason.say(options.language)}", file=sys.stderr)
        return 1 if isinstance(problem, sessions.Unfit) else 2
    except (sessions.BadRecording, DatabaseAway, OSError, UnicodeDecodeError) as problem:
        print(f"hub: {problem}", file=sys.stderr)
        return 2
    _print({"seen": seen, "differs": differs}, options.json, [*seen, *([f"✗ {differs}"] if differs else [])])
    return 1 if differs else 0


def _devices_record(options: argparse.Namespace) -> int:
    return _recorded(options, lambda sessions: (
        sessions.record(config.load(), options.register, options.file, options.driver), ""))


def _devices_replay(options: argparse.Namespace) -> int:
    if options.pty or options.port is not None:
        return _recorded(options, lambda sessions: sessions.serve(
            config.load(), options.file, options.port, lambda words: print(words, flush=True)))
    return _recorded(options, lambda sessions: sessions.replay(config.load(), options.file))


def _simulate(options: argparse.Namespace) -> int:
    from hub.plugins import discover

    simulators = discover().simulators
    main = simulators.get(options.name)
    if main is None:
        print(f"hub: no simulator {options.name!r}; there are: {', '.join(sorted(simulators))}", file=sys.stderr)
        return 2
    return int(main(options.arguments))


def _openapi(options: argparse.Namespace) -> int:
    from flask import Flask

    from hub.web.api.app import described
    from hub.web.api.document import document

    made = document(described(Flask("hub.web.api", static_folder=None)))
    text = json.dumps(made, ensure_ascii=False, indent=1) + "\n"
    if options.file is None:
        print(text, end="")
    else:
        options.file.write_text(text, encoding="utf-8")
    return 0


def _plugin_list(options: argparse.Namespace) -> int:
    from hub.plugins import discover

    plugins = discover(config.load().plugins_off).plugins
    _print([{"name": one.name, "module": one.module, "version": one.version, "provides": list(one.provides),
             "problem": one.reason.say(options.language) if one.reason else None} for one in plugins],
           options.json,
           [f"{'✗' if one.reason else '✓'} {one.name:<16} {one.version:<8} {', '.join(one.provides)}"
            + (f"\n    {one.reason.say(options.language)}" if one.reason else "") for one in plugins])
    return 1 if any(one.reason for one in plugins) else 0


def _plugin_new(options: argparse.Namespace) -> int:
    from hub.testing.scaffold import new_plugin

    try:
        written = new_plugin(options.name, options.kind, Path(options.folder or options.name))
    except (ValueError, OSError) as problem:
        print(f"hub: {problem}", file=sys.stderr)
        return 2
    _print([str(one) for one in written], options.json, [str(one) for one in written])
    return 0


def _plugin_check(options: argparse.Namespace) -> int:
    from hub.testing.check import check_plugin

    result = check_plugin(options.name)
    words = [problem.say(options.language) for problem in result.problems]
    _print({"name": options.name, "ok": result.ok, "problems": words}, options.json,
           [f"✓ {options.name}"] if result.ok else [f"✗ {options.name}", *[f"    {one}" for one in words]])
    return 0 if result.ok else 1


def _plugin_show(options: argparse.Namespace) -> int:
    from hub.contracts import describe
    from hub.plugins import discover

    catalogue = discover(config.load().plugins_off)
    kinds = [table[options.name] for table in (catalogue.sources, catalogue.gateways, catalogue.drivers,
                                               catalogue.notifiers) if options.name in table]
    if not kinds:
        print(f"hub: no plugin hands over {options.name!r}: see `hub plugin list`", file=sys.stderr)
        return 2
    say = options.language
    value = []
    lines: list[str] = []
    for kind in kinds:
        lines += [f"{kind.name}: {kind.title.say(say)}", f"  {kind.summary.say(say)}"]
        for one in describe(kind.settings):
            choices = {name: text.say(say) for name, text in (one.choices or {}).items()}
            value.append({"setting": one.name, "label": one.label.say(say), "kind": one.kind,
                          "required": one.required, "secret": one.secret, "example": one.example,
                          "help": one.help.say(say) if one.help else "", "choices": choices})
            marks = ", ".join([one.kind, *(["required"] if one.required else []),
                               *(["secret"] if one.secret else [])])
            lines += ["", f"  {one.name} ({marks}): {one.label.say(say)}"]
            lines += [f"      {one.help.say(say)}"] if one.help else []
            lines += [f"      {name} = {words}" for name, words in choices.items()]
            lines += [f"      e.g. {one.example}"] if one.example else []
    _print(value, options.json, lines)
    return 0


def _check(options: argparse.Namespace) -> int:
    """0 when every file is good (exactly what it expects, or no error), 1 when not, 2 when one cannot be read."""
    values = [_checked(name, options.language) for name in options.files]
    marks = {"error": "✗", "warning": "!"}
    lines: list[str] = []
    for one in values:
        lines.append(f"{'✓' if one['ok'] else '✗'} {one['file']}" + (f": {one['error']}" if one["error"] else ""))
        if one["expected"] is None or not one["ok"]:
            lines += [f"    {marks[found['level']]} {found['field']} ({found['id']}): {found['text']}"
                      for found in one["problems"]]
        if one["expected"] is not None and not one["ok"]:
            found = sorted({found["id"] for found in one["problems"]})
            lines.append(f"    expected: {', '.join(one['expected']) or '-'}; found: {', '.join(found) or '-'}")
    _show(values, options.json, lines)
    return 2 if any(one["error"] for one in values) else 0 if all(one["ok"] for one in values) else 1


def _show(values: list[dict[str, Any]], as_json: bool, lines: Sequence[str]) -> None:
    """Prints also what the terminal cannot write, such as half of a surrogate pair, in its escaped form."""
    encoding = sys.stdout.encoding or "utf-8"
    if not as_json:
        print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))
        return
    text = json.dumps(values, ensure_ascii=False, indent=1)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = json.dumps(values, indent=1)  # JSON's own escapes
    print(text)


def _checked(name: str, say: str) -> dict[str, Any]:
    """What was found in one file, for programs and people."""
    from datetime import UTC, datetime

    from hub.fiscal import checking

    value: dict[str, Any] = {"file": name, "ok": False, "problems": [], "expected": None, "error": None}
    try:
        data = json.loads(Path(name).read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as problem:
        value["error"] = checking.why_unread(problem).say(say)
        return value
    try:
        verdict = checking.judge(data, datetime.now(UTC))
    except checking.Unreadable as problem:
        value["error"] = problem.text.say(say)
        return value
    except RecursionError as problem:  # nested less deeply than JSON may be, but too deeply to be shown
        value["error"] = checking.why_unread(problem).say(say)
        return value
    value.update(ok=verdict.good, expected=None if verdict.expected is None else list(verdict.expected), problems=[
        {"id": one.problem.code, "level": one.level, "field": one.problem.field, "text": one.problem.text.say(say)}
        for one in verdict.findings])
    return value


def _db_upgrade(options: argparse.Namespace) -> int:
    from hub.store import Database, DatabaseAway, schema

    settings = config.load()
    db = Database(settings.database_url, pool=2)
    try:
        changed = schema.upgrade(db)
    except DatabaseAway as problem:
        print(f"hub: the database does not answer: {problem}. Check HUB_DATABASE_URL.", file=sys.stderr)
        return 1
    finally:
        db.close()
    _print({"revision": schema.HEAD, "changed": changed}, options.json,
           [f"the database is at {schema.HEAD}" + ("" if changed else " already")])
    return 0


def _user_add(options: argparse.Namespace) -> int:
    from hub import office
    from hub.store import Database, DatabaseAway, Organisation

    db = Database(config.load().database_url, pool=2)
    password = sys.stdin.readline().rstrip("\n") if options.password_stdin else getpass.getpass("Password: ")
    try:
        with db.write() as session:
            organisation = session.query(Organisation).filter(
                Organisation.tax_id == options.organisation).first() if options.organisation else \
                session.query(Organisation).order_by(Organisation.id).first()
            if organisation is None:
                print("hub: no such organisation: make it with the set-up link that `hub up` prints", file=sys.stderr)
                return 2
            user = office.create_user(session, "cli", organisation.id, options.login, password, options.role,
                                      options.name, options.inn)
            public_id = user.public_id
    except office.Wrong as problem:
        for field, text in problem.fields.items():
            print(f"hub: {field}: {text.say(options.language)}", file=sys.stderr)
        return 2
    except DatabaseAway as problem:
        print(f"hub: the database cannot be used: {problem}. Run `hub doctor`.", file=sys.stderr)
        return 1
    finally:
        db.close()
    _print({"id": public_id, "login": options.login}, options.json, [f"{options.login} can log in"])
    return 0


def parser() -> argparse.ArgumentParser:
    """All commands. Plugins' own are added by :func:`main`."""
    top = argparse.ArgumentParser(prog="hub", description="kassahub: a paid order becomes exactly one fiscal receipt")
    top.add_argument("--version", action="version", version=f"kassahub {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="for programs")
    common.add_argument("--language", choices=("ru", "en", "kk"), default="ru", help="of sentences")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, call: Any, help: str, into: Any = commands) -> argparse.ArgumentParser:
        one: argparse.ArgumentParser = into.add_parser(name, help=help, description=help, parents=[common])
        one.set_defaults(call=call)
        return one

    up = add("up", _up, "start the whole hub: web, workers and, if there is one, Redis")
    up.add_argument("--port", type=int, help="instead of HUB_PORT or the first free one from 8000")
    up.add_argument("--apart", action="store_true", help="jobs and registers in processes of their own")
    add("web", _web, "the pages and doors only")
    add("worker", _worker, "jobs, registers and the ticker").add_argument(
        "role", nargs="?", choices=("jobs", "registers"), help="only these")
    demo = add("demo", _demo, "start the simulators, send real orders, show the receipts, compare everything")
    demo.add_argument("name", nargs="?", default="", help="a demo that a plugin brings; without it, one order each")
    demo.add_argument("--keep", help="keep the demo's data in this folder")
    demo.add_argument("--judge", action="store_true", help="with a name and --keep: only compare what lies there")
    torture = add("torture", _torture, "break everything on purpose and hold sources, database and registers against "
                                       "each other")
    torture.add_argument("--receipts", type=int, default=1000, metavar="N")
    torture.add_argument("--seed", default="1", help="a number, or several runs: 1-20")
    torture.add_argument("--registers", type=int, default=8, metavar="R")
    torture.add_argument("--sources", type=int, default=2, metavar="S")
    torture.add_argument("--database", default="sqlite", help="sqlite, postgresql (a server of the run's own), or the "
                                                              "address of an empty PostgreSQL database")
    torture.add_argument("--drivers", default="emulator", help="of the registers, with commas between them")
    torture.add_argument("--source", default="", help="plugin of the sources")
    torture.add_argument("--minutes", type=float, default=0.0,
                         help="nobody pays after so long: it comes to rest and is judged")
    torture.add_argument("--round", type=int, default=1000, help="receipts between two times of rest")
    torture.add_argument("--faults", type=int, default=0, metavar="N",
                         help="about so many, spread evenly over the receipts; 0: as many as find time")
    torture.add_argument("--rate", type=float, default=30.0, metavar="N", help="orders a second at most")
    torture.add_argument("--break", dest="broken", default="",
                         choices=("", "attempt", "find", "dedupe", "fence", "bell", "none"),
                         help="switch one safety off: then the judge must find a miss; none: all that is done for "
                              "that, and nothing switched off")
    torture.add_argument("--keep", default="", help="keep everything in this folder")
    add("doctor", _doctor, "what is wrong and how to mend it")
    add("check", _check, "what a register would refuse in a receipt written as JSON").add_argument(
        "files", nargs="+", metavar="FILE", help="docs/fiscal.md shows the form")
    ports = add("devices", _devices, "what hangs on the ports, and which registers answer")
    ports.add_argument("--address", action="append", default=[], metavar="ADDRESS",
                       help="ask there too: tcp://192.168.1.50:7778, /dev/ttyS0; may be repeated")
    ports.add_argument("--list", action="store_true", help="open nothing, ask nobody")
    tapes = ports.add_subparsers(dest="devices_command", metavar="COMMAND")
    taped = add("record", _devices_record, "look at a register, and keep every byte in a file for a bug report", tapes)
    taped.add_argument("register", metavar="ADDRESS", help="tcp://192.168.1.50:7778, /dev/ttyUSB0")
    taped.add_argument("file", type=Path, metavar="FILE", help="holds no personal data and no passwords")
    taped.add_argument("--driver", default="", metavar="NAME", help="without it, whoever recognises the register")
    played = add("replay", _devices_replay, "play such a file, or a byte log, without a register", tapes)
    played.add_argument("file", type=Path, metavar="FILE", help="alone: its driver looks at it, byte by byte")
    played.add_argument("--pty", action="store_true", help="be the register, on a serial port (pseudo-terminal)")
    played.add_argument("--port", type=int, default=None, help="be the register, on a TCP port; 0 takes a free one")
    add("openapi", _openapi, "the document of the hub's own API").add_argument(
        "file", nargs="?", type=Path, help="write it there; without it, to the terminal")
    simulate = commands.add_parser("simulate", help="run a simulator of another system or register")
    simulate.set_defaults(call=_simulate)
    simulate.add_argument("name")
    simulate.add_argument("arguments", nargs=argparse.REMAINDER)
    plugin = commands.add_parser("plugin", help="list, write and check plugins").add_subparsers(
        dest="plugin_command", required=True, metavar="COMMAND")
    add("list", _plugin_list, "installed plugins and what they provide", plugin)
    add("show", _plugin_show, "the settings of a plugin, from their schema", plugin).add_argument("name")
    new = add("new", _plugin_new, "write a working plugin with its tests", plugin)
    new.add_argument("name")
    new.add_argument("--kind", choices=("source", "driver", "notifier", "gateway"), default="source")
    new.add_argument("--folder", default="", help="a new folder; ./NAME without it")
    add("check", _plugin_check, "check a plugin against the contract", plugin).add_argument("name")
    add("upgrade", _db_upgrade, "bring the database to this version", commands.add_parser(
        "db", help="the database").add_subparsers(dest="db_command", required=True, metavar="COMMAND"))
    user = add("add", _user_add, "add a person who logs in", commands.add_parser(
        "user", help="people").add_subparsers(dest="user_command", required=True, metavar="COMMAND"))
    user.add_argument("login")
    user.add_argument("--role", choices=("owner", "cashier"), default="owner")
    user.add_argument("--name", default="", help="as on receipts")
    user.add_argument("--inn", default="", help="the cashier's INN")
    user.add_argument("--organisation", default="", help="INN or BIN; the first one without it")
    user.add_argument("--password-stdin", action="store_true")
    top.set_defaults(commands=commands)
    return top


OWN = ("up", "web", "worker", "demo", "torture", "doctor", "check", "devices", "simulate", "plugin", "db", "user")


def main(argv: Sequence[str] | None = None) -> int:
    """The command. Exit status 0 done, 1 something is wrong, 2 wrong use."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    top = parser()
    first = next((one for one in arguments if not one.startswith("-")), "")
    if first and first not in OWN:
        # Only then is it worth loading every plugin.
        from hub.plugins import discover

        for add in discover().commands():
            try:
                add(top.get_default("commands"))
            except Exception as problem:  # a stranger's mistake must not take everybody's commands away
                print(f"hub: a plugin's command cannot be added: {problem!r}", file=sys.stderr)
    options = top.parse_args(arguments)
    try:
        return int(options.call(options) or 0)
    except config.Misconfigured as problem:
        print(f"hub: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1
