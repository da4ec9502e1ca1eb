"""The project. Importing it is the first thing that every start does."""

import gc

__version__ = "0.1.0"

# A start imports some 1,700 modules, and nearly all that they make stays: looking through it for garbage again and
# again takes an eighth of the start. ``hpcbilling.apps`` goes on with it once every app is there.
gc.disable()
