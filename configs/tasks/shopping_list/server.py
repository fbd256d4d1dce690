#!/usr/bin/env python3
"""An MCP server of a shopping list, over standard input and output. Needs nothing but Python; in real life it would be
made with a library of the protocol, and environment.mcp would see no difference."""
import json
import sys


def schema(required, **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


NAME = {"type": "string", "description": "what to buy, as it was said"}
TOOLS = [
    {"name": "add_item", "description": "puts something on the shopping list",
     "inputSchema": schema(["name"], name=NAME,
                           quantity={"type": "integer", "description": "how many; 1 if nothing was said", "minimum": 1})},
    {"name": "remove_item", "description": "takes something off the shopping list",
     "inputSchema": schema(["name"], name=NAME)},
    {"name": "read_list", "description": "says what is on the shopping list", "inputSchema": schema([]),
     "annotations": {"readOnlyHint": True}},
    {"name": "clear_list", "description": "empties the shopping list", "inputSchema": schema([])},
]
items = {}


def call(name, arguments):
    if name == "add_item":
        items[arguments["name"]] = items.get(arguments["name"], 0) + arguments.get("quantity", 1)
    elif name == "remove_item":
        if items.pop(arguments["name"], None) is None:
            return f"there was no {arguments['name']} on the list"
    elif name == "clear_list":
        items.clear()
    return "on the list: " + (", ".join(f"{count} {item}" for item, count in items.items()) or "nothing")


def answer(method, params):
    if method == "initialize":
        return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                "serverInfo": {"name": "shopping list", "version": "1.0"}}
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "tools/call":
        try:
            return {"content": [{"type": "text", "text": call(params["name"], params.get("arguments", {}))}]}
        except (KeyError, TypeError) as wrong:
            return {"content": [{"type": "text", "text": f"wrong arguments: {wrong}"}], "isError": True}
    return None


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    result = answer(request["method"], request.get("params", {}))
    reply = {"result": result} if result is not None else {"error": {"code": -32601, "message": "Method not found"}}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **reply}), flush=True)
