"""Obtaining the Lingma binary from the plugin that its provider publishes: fetched, checked, unpacked, put in place."""
