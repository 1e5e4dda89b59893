"""The operations next to the thirteen: people, numbers, the names behind ids, limits, notifications.

All of them tell of the same business as the rest of the account: an id of a record, a charge or an
audit event is found here.
"""
