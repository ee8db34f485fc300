"""Bytes to messages and back. No I/O, no clock, no framework: everything here can be replayed from a list of bytes."""
