"""What both proxies share: the steps of an exchange and the ports they may touch."""
