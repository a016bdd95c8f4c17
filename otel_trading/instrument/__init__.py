"""Instrumentation of libraries: one small file a library, and the registry of them."""
