"""`hub chaos`: systems that misbehave, a hub that is killed, and an audit that asks neither of them to be kind."""
