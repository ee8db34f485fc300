"""From what the model says to the answer that a client gets: limits, stop sequences, promised forms. Pure."""
