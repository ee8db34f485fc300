"""The self-check of one Lingma: what it does, step by step, against what is documented (docs/admin.md)."""
