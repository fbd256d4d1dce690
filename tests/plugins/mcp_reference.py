"""A server made with the reference implementation (the package mcp): `mcp_reference.py stdio` or `… http PORT`."""
import sys

try:
    from mcp.server.mcpserver import MCPServer as Server  # from 2.0 on
    from mcp.server.mcpserver.exceptions import ToolError
except ImportError:
    from mcp.server.fastmcp import FastMCP as Server
    from mcp.server.fastmcp.exceptions import ToolError

server = Server("sums")
total = 0


@server.tool(description="adds two numbers")
def add(a: int, b: int) -> int:
    return a + b


@server.tool(description="adds to what this server remembers")
def remember(by: int) -> str:
    global total
    total += by
    return str(total)


@server.tool(description="always fails")
def fail() -> str:
    raise ToolError("as it must")


if sys.argv[1] == "stdio":
    server.run("stdio")
else:
    try:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    except TypeError:  # before 2.0 the settings hold them
        server.settings.port = int(sys.argv[2])
        server.run("streamable-http")
