"""HTTP: routes, streaming, health. The only package that knows FastAPI."""
