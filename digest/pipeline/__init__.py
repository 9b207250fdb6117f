"""The corridor: where edges meet the core. One file a step of docs/flow.md's pipe.

Enters: edges (store, fetcher, senders) and settings' values, handed over by ``wiring``. Leaves: counts
of what was done. Every step may be started again, beside itself, at any time: what is to be done is
read from the ledger, never remembered. Must never: build an edge, ask a clock of its own, or hold a
transaction while it waits for somebody.
"""
