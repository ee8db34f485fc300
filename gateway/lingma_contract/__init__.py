"""What the operator, the gateway and the router agree on.

Pure: nothing here reads a file, opens a socket or knows a framework, so that any of the three may import any of it.
"""
