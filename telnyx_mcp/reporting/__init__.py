"""`report`: what an account spent in a month, as a page for the accountant and as a CSV file."""
