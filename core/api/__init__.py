"""What the views of the API share: what they ask of a request, pages of lists, limits, errors."""
