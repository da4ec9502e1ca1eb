"""Self-service pages. Every read goes through a filter that names the signed-in user."""
