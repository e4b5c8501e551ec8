"""Everything a connector may import: contracts, records, capabilities, errors, ports and the emulator's ground."""
