"""The upstream: what Lingma is asked, what it pushes back, and the process and connection that carry it."""
