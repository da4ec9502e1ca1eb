from tests.invariants import invariants_hold  # noqa: F401 - after every test
