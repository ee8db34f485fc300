"""A stand-in for the Lingma process, true to its documented protocol, for demos, tests and a user's own CI.

docs/simulator.md says for each behaviour where it is attested and what is an assumption.
"""

LINGMA_VERSION = "2.11.1"
"""The version whose live captures the simulator follows."""
