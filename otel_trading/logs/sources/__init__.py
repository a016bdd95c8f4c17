"""Where lines come from besides the kit itself and the standard library: structlog and loguru."""
