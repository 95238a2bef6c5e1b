"""People: accounts, browser sessions, API keys for programs, and roles."""
