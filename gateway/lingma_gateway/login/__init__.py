"""Logging Lingma in without a request: what to try next, the ways in, and keeping a login that was found."""
