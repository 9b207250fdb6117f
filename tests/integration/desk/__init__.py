"""The operators' desk over HTTP: who may do what, and what each page says."""
