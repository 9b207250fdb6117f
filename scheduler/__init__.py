"""The clock and the hands: what is due is done, for years, by one process or by many.

Enters: a hall, and time passing. Leaves: polled feeds, taken-in summaries, letters handed over, old rows
folded. The timer only wakes; what there is to do is read from the calendar and the tables, so a wake that
was missed, came twice or went to two schedulers changes nothing. Must never: keep a plan of its own.
"""
