from tests.invariants import invariants_hold  # noqa: F401 - after every test
from tests.payments.conftest import fakes  # noqa: F401 - the local providers
