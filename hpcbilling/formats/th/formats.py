"""Short dates in the console; moments as ``core.words.wording.moment_text`` writes them."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y H:i น. (T)"
