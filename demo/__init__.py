"""`python -m demo up|down`: the whole path on a real Kubernetes. The end-to-end tests install by the same modules."""
