"""Letters leave here. Enters: `Outgoing` (a page, its readers). Leaves: an `Outcome`; later, events.

Every sender has ``name``, ``is_repeatable``, ``batch_size``, ``send(outgoing) -> Outcome`` and ``close()``:
``outbox.Outbox(directory)`` writes .eml files, ``smtp.Smtp(...)`` speaks to a mail server,
``sendgrid.SendGrid(...)`` to the provider's Web API. ``message.letter_bytes`` is one letter as RFC 5322.
``events``: a webhook's raw body -> verified, frozen events. ``evidence``: Email Logs and suppression lists.
``fake_sendgrid.serve(port)``: the provider in this process, faults included, for trials without an account.

Must never: put two people into one letter, send again what may have been sent, or show a key.
"""
