"""Tables, write sets, batch writers, claims, migrations: implements the ports of the exchange and the OMS."""
