"""Documents on paper: what a receipt says as a PDF, in English and Thai."""
