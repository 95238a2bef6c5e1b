"""Pages: HTML over HTTP, rendered here and not in the browser. Text of people is escaped, always."""
