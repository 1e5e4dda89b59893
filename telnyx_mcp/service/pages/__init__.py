"""The pages of the service: people sign in, look at changes, and approve them."""
