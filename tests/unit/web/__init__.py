"""The pages as templates, without a server."""
