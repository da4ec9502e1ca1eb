"""A complete provider without money, for demos and tests."""

NEEDS: tuple[str, ...] = ()
