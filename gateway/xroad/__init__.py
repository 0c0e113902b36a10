"""What the X-Road protocols say: bytes in, typed facts out.

Nothing here opens, connects, sleeps, reads a clock or logs. Read from the left to the right:
`identifiers faults digests bodies xml mime` <- `soap rest pki` <- `globalconf` <- `signature` <-
`transport asic`; each tier imports only what stands to its left.
"""
