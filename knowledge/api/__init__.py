"""Read, search and have logs read as JSON under /api/v1/, with its OpenAPI document and a page that explains it."""
