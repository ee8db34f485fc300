"""A stand-in for the Lingma process, true to its documented protocol, for demos, tests and a user's own CI."""
