"""The web application over a real database: asked as browsers and programs ask it."""
