"""Operations beside the account operations: users, numbers, names for ids, spend limits, notifications.

They describe the same business as the rest of the account: an id in a record, a charge or an audit event
exists here too.
"""
