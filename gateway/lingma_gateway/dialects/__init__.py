"""Wire formats of clients. Each module is pure: `parse` a body into a Turn, `encode` and `collect` StreamEvents."""
