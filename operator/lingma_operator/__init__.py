"""The operator: a `LingmaAccount` becomes a pod with Lingma and a gateway beside it, and an honest status."""
