"""version: versions and names as package formats write and order them. Pure.

In: text. Out: a sort key, or an `InvalidInput` that names the text.
All rooms import it; it imports nothing but errors.
"""
