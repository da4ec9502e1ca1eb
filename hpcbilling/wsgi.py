"""WSGI entry for gunicorn."""

import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hpcbilling.settings")
# A thread whose database has answered waits at most this long for others that compute; Python's own 5 ms are more than
# a statement takes.
sys.setswitchinterval(0.001)
application = get_wsgi_application()
