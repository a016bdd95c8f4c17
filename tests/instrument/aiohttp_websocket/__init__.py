"""WebSockets of aiohttp's client, against a real server."""
