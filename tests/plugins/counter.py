#!/usr/bin/env python3
"""A world for environment.process: counters that are added to. Needs nothing but Python.

With "--fault KIND" it goes wrong at the first "execute" in one way: exit, garbage, bytes, silence, number, nothing.
"""
import json
import random
import sys
import time

TOOLS = [
    {"type": "function", "function": {
        "name": "add", "description": "adds to the counter",
        "parameters": {"type": "object", "properties": {"by": {"type": "integer"}}, "required": ["by"],
                       "additionalProperties": False}}},
    {"type": "function", "function": {
        "name": "reset", "description": "sets the counter to nought",
        "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False}}},
]


class Refused(Exception):
    """What the caller should not have asked."""


PHRASES = {"train": "add {}", "validation": "count {} more", "test": "{} more please"}


def generate(split, count, seed):
    rows = []
    for by in random.Random(f"{split} {seed}").sample(range(1, 1000), min(count, 999)):
        function = {"name": "add", "arguments": json.dumps({"by": by})}
        rows.append({"messages": [{"role": "user", "content": PHRASES[split].format(by)},
                                  {"role": "assistant",
                                   "tool_calls": [{"id": "call_0", "type": "function", "function": function}]}],
                     "metadata": {"template": split}})
    return rows


def run_call(value, call):
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise Refused("a call is an object with a name")
    arguments = call.get("arguments", {})
    if call["name"] == "reset":
        return 0
    if call["name"] != "add":
        raise Refused("there is no tool " + call["name"])
    if not isinstance(arguments, dict) or type(arguments.get("by")) is not int:
        raise Refused("add wants a whole number by")
    if arguments["by"] == 0:
        raise Refused("nought changes nothing")
    return value + arguments["by"]


def execute(sessions, session, calls):
    if not isinstance(calls, list):
        raise Refused("calls are an array")
    results, error = [], None
    for call in calls:
        try:
            if error is not None:
                raise Refused("not run, because a call before it failed")
            sessions[session] = run_call(sessions[session], call)
            results.append({"ok": True, "content": str(sessions[session])})
        except Refused as refused:
            error = error or str(refused)
            results.append({"ok": False, "content": str(refused)})
    return {"ok": error is None, "error": error, "results": results, "state": str(sessions[session])}


def go_wrong(kind, number):
    if kind == "exit":
        print("out of counters", file=sys.stderr, flush=True)
        sys.exit(3)
    if kind == "silence":
        time.sleep(60)
    sys.stdout.buffer.write({"garbage": b"Traceback\n", "bytes": b'{"id": 1, "result": "\xff\xfe"}\n',
                             "number": b'{"id": 77, "result": null}\n', "nothing": b'{"id": %d}\n' % number}[kind])
    sys.stdout.flush()


def answer(sessions, request):
    method = request["method"]
    if method == "tools":
        return TOOLS
    if method == "generate":
        return generate(request["split"], request["count"], request["seed"])
    if method == "start":
        sessions[request["session"]] = int(request["start"].get("state", 0))
        return None
    if method == "execute":
        return execute(sessions, request["session"], request["calls"])
    if method == "state":
        return sessions[request["session"]]
    raise Refused("this world knows no " + method)


def main():
    fault = sys.argv[2] if sys.argv[1:2] == ["--fault"] else None
    sessions = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["method"] == "close":
            sessions.pop(request["session"], None)
            continue
        if fault is not None and request["method"] == "execute":
            go_wrong(fault, request["id"])
            continue
        reply = {"id": request["id"]}
        try:
            reply["result"] = answer(sessions, request)
        except Refused as refused:
            reply["error"] = {"message": str(refused), "fault": "caller"}
        print(json.dumps(reply), flush=True)


main()
