"""What leaves the house: letters, requests, and what providers answer."""
