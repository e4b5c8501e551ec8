"""Order management: capture, hold, allocate, source, fulfil, ship, cancel, edit. Decides on a snapshot, writes nothing."""
