"""Signing in by an OpenID Connect provider (``OIDC_ISSUER``): off unless set, and then an extra
(requirements-sso.txt). docs/sso.md says how it is set up and what is checked."""
