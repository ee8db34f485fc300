"""What operators of the gateway see: metrics and log lines."""
