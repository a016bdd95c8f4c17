"""What every instrumentation has to do, each proved with its own library against something real."""
