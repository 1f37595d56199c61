"""The face for MCP: a collection as a server's tools and resources (extra `mcp`)."""
