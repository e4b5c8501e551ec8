"""Order management: capture, allocate, fulfil, ship, cancel. Decides on a snapshot, writes nothing itself."""
