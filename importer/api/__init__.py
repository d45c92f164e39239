"""Talk to the API: `client` makes one exchange, `verdict` says what it means for the document."""
