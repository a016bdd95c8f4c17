"""The clients of ``websockets``, against a real server."""
