"""The API, version 1: meetings and councils out, summaries in, subscribers for operators.

Enters: HTTP requests with a key. Leaves: JSON; what went wrong is problem JSON (RFC 9457) naming the thing,
the place and the mend. Must never: act without a key that opens the thing, or log a key or an address.
"""
