"""`doctor`: tries everything the server needs, and says of each what it found and what to do.

Changes nothing: of the thirteen operations the two that change something are not tried.
"""
