"""What several test files share: servers, clients, users and stand-ins for Telnyx. No tests."""
