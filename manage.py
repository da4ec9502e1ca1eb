#!/usr/bin/env python
"""Command-line entry of the project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hpcbilling.settings")
    from django.core.exceptions import AppRegistryNotReady, ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import InterfaceError, InternalError, OperationalError

    if sys.stdout is None:  # ">&-": nobody wants to read what is printed
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open as long as the process
    try:
        try:
            execute_from_command_line(sys.argv)
        except AppRegistryNotReady:  # some of Django's own commands go on where settings were refused, and stumble
            from django.conf import settings

            _ = settings.DEBUG
            raise
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(78)
    except KeyboardInterrupt:
        sys.exit(130)
    except (
        OperationalError,
        InterfaceError,
        InternalError,
    ) as error:  # of Django's own commands; ours say it themselves
        if "--traceback" in sys.argv:
            raise
        from core.commands import command_error

        told = command_error(error)
        sys.stderr.write(f"{told}\n")
        sys.exit(told.returncode)


if __name__ == "__main__":
    main()
