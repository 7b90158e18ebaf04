"""The ledger 台账: who filed what and when, every decision, the register, releases and the trail of it all.

Plain functions that take a Session of ``Ledger.read()`` or ``Ledger.write()`` and return frozen dataclasses. Time
(``now``) and person (``actor``) are arguments everywhere. Nothing that was recorded is changed or deleted.
"""
