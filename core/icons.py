"""A small set of line icons, drawn on a 24 x 24 grid and put into the page as SVG."""

from __future__ import annotations

from django.utils.safestring import SafeString, mark_safe

PATHS = {
    "alert": "M12 8v5M12 16.5v.01M10.3 4 2.6 17.5A2 2 0 0 0 4.3 20.5h15.4a2 2 0 0 0 1.7-3L13.7 4a2 2 0 0 0-3.4 0Z",
    "back": "M15 5l-7 7 7 7",
    "ban": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM5.7 5.7l12.6 12.6",
    "book": "M5 4.5h11.5a2 2 0 0 1 2 2V20H7a2 2 0 0 1-2-2V4.5ZM5 17.5a2 2 0 0 1 2-1.5h11.5M9 8.5h6M9 12h4",
    "chart": "M4 20h16M7 20v-6M12 20V6M17 20v-9",
    "check": "M5 12.5l4.5 4.5L19 7.5",
    "clock": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 7.5V12l3 2",
    "close": "M6 6l12 12M18 6 6 18",
    "dash": "M6 12h12",
    "down": "M6 9.5l6 6 6-6",
    "download": "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M4.5 19.5h15",
    "fall": "M12 5v14M6.5 13.5 12 19l5.5-5.5",
    "forward": "M9 5l7 7-7 7",
    "gift": "M4 11h16v9H4v-9ZM3 7.5h18V11H3V7.5ZM12 7.5V20M12 7.5S8 7.5 8 5.3 12 4 12 7.5Zm0 0s4 0 4-2.2-4-1.3-4 2.2Z",
    "info": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM12 11v5M12 8v.01",
    "key": "M8 10.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM11 11.7 19.5 3.5M16 7l3 3M13.5 9.5l2 2",
    "link": "M9.5 14.5l5-5M11 6.5l1.8-1.8a4 4 0 0 1 5.6 5.6L16.5 12M13 17.5l-1.8 1.8a4 4 0 0 1-5.6-5.6L7.5 12",
    "list": "M9 6.5h11M9 12h11M9 17.5h11M4.5 6.5v.01M4.5 12v.01M4.5 17.5v.01",
    "open": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z",
    "people": "M9 5a3.2 3.2 0 1 0 0 6.4A3.2 3.2 0 0 0 9 5ZM3 19c.5-3 2.9-4.7 6-4.7s5.5 1.7 6 4.7"
    "M16 5.3a3.2 3.2 0 0 1 0 5.9M17.5 14.6c1.9.6 3.2 2.1 3.5 4.4",
    "play": "M8 5.5v13l10-6.5-10-6.5Z",
    "print": "M7 8.5V4h10v4.5M7 17H4.5V8.5h15V17H17M7 14h10v6H7v-6Z",
    "receipt": "M6 3.5v17l2-1.3 2 1.3 2-1.3 2 1.3 2-1.3 2 1.3v-17H6ZM9.5 8.5h5M9.5 12.5h5",
    "rise": "M12 19V5M6.5 10.5 12 5l5.5 5.5",
    "search": "M11 4.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM16 16l4 4",
    "user": "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4.5 20c.8-3.6 3.8-5.5 7.5-5.5s6.7 1.9 7.5 5.5",
}


def icon(name: str) -> SafeString:
    """The icon as an SVG element that screen readers pass over; a word always stands beside it."""
    # Both parts are constants of this module, never user input.
    return mark_safe(  # noqa: S308
        f'<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="{PATHS[name]}"/></svg>'
    )
