"""How bytes leave and come back: HTTP and SOAP with bounds, rate limits, the breaker, the SSRF guard."""
