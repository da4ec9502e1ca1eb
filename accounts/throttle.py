"""Login lockout: placeholder replaced next."""

from axes.handlers.base import AxesBaseHandler


class ThrottleHandler(AxesBaseHandler):
    pass
