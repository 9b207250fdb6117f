"""The operators' desk and the preview studio, under /operator.

Enters: requests of signed-in operators (or, for `digest preview`, of this machine). Leaves: pages.
Must never: let a route be without a role, or change anything without a line in the audit log.
"""
