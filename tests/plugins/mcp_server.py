#!/usr/bin/env python3
"""A server of the Model Context Protocol over standard input and output, for tests. Needs nothing but Python.

It keeps notes: "note" adds one, "read" gives all (and changes nothing), "pages" of "tools/list" hold one tool each.
With "--fault KIND" it goes wrong at the first "tools/call" in one way: exit, hang, flood (1 GB without a line end),
garbage, error (of JSON-RPC). With "--version V" it speaks that version whatever is asked for; with "--stateless" it
knows no handshake; with "--chatty" it logs to its output, notifies and pings before it answers.
"""
import json
import sys
import time

ARGUMENTS = sys.argv[1:]
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = [
    {"name": "note", "description": "writes a note down", "inputSchema": TEXT},
    {"name": "read", "description": "all notes", "inputSchema": {"type": "object"},
     "annotations": {"readOnlyHint": True}},
    {"name": "picture", "title": "a picture", "inputSchema": {"type": "object", "properties": {}}},
]
notes = []


def option(name):
    return ARGUMENTS[ARGUMENTS.index(name) + 1] if name in ARGUMENTS else None


def send(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def go_wrong(kind):
    if kind == "exit":
        print("no paper left", file=sys.stderr, flush=True)
        sys.exit(3)
    if kind == "hang":
        time.sleep(60)
    if kind == "flood":
        for _ in range(1024):
            sys.stdout.write("x" * (1 << 20))
    if kind == "garbage":
        for _ in range(2000):
            print("starting up …")
    raise SystemExit


def text(words, error=False):
    return {"content": [{"type": "text", "text": words}], "isError": error}


def call(name, arguments):
    if name == "note":
        if not isinstance(arguments.get("text"), str):
            return text("note wants a text", True)
        notes.append(arguments["text"])
        return text(f"{len(notes)} notes")
    if name == "read":
        return {"content": [], "structuredContent": {"notes": notes}}
    return {"content": [{"type": "text", "text": "here"}, {"type": "image", "data": "AAAA", "mimeType": "image/png"}]}


def chat():
    print("INFO: a log line where none belongs", flush=True)
    send({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hello"}})
    for number, method in enumerate(("ping", "roots/list")):
        send({"jsonrpc": "2.0", "id": f"server-{number}", "method": method})
        reply = json.loads(sys.stdin.readline())
        assert reply["id"] == f"server-{number}" and ("result" in reply) == (method == "ping"), reply


def answer(request):
    method, params = request["method"], request.get("params", {})
    if "--stateless" in ARGUMENTS:
        if method in ("initialize", "notifications/initialized"):
            raise LookupError
        assert params["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28", params
    if method == "initialize":
        return {"protocolVersion": option("--version") or params["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "notes", "version": "1"}}
    if method == "server/discover":
        if "--stateless" not in ARGUMENTS:
            raise LookupError
        return {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete"}
    if method == "tools/list":
        page = int(params.get("cursor", 0))
        result = {"tools": TOOLS[page:page + 1]}
        if page + 1 < len(TOOLS):
            result["nextCursor"] = str(page + 1)
        return result
    if method == "tools/call":
        return call(params["name"], params["arguments"])
    raise LookupError


def main():
    fault = option("--fault")
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        if "--chatty" in ARGUMENTS:
            chat()
        reply = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "tools/call" and fault == "error":
            reply["error"] = {"code": -32603, "message": "the pen is broken"}
        elif request["method"] == "tools/call" and fault:
            go_wrong(fault)
        else:
            try:
                reply["result"] = answer(request)
            except LookupError:
                reply["error"] = {"code": -32601, "message": "Method not found"}
        send(reply)


main()
