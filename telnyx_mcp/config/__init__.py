"""What a user sets: settings, profiles, keys, and where files belong."""
