"""`doctor` checks everything the server needs. Each finding says what to do.

It changes nothing: it does not try the two operations that change something.
"""
