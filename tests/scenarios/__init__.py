"""One misbehaviour per test over a whole landscape on loopback."""
