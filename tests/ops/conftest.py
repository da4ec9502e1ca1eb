"""The Slurms that the tests of usage talk to; doctor asks them, too."""

from tests.usage.conftest import no_sacct, sacct, slurmrestd

__all__ = ["no_sacct", "sacct", "slurmrestd"]
