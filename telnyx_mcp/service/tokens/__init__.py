"""Access tokens: who sends a request, as the organization's identity provider (the issuer) says."""
