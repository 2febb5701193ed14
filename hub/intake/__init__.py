"""From a request to a stored receipt: inbox, spool, Order -> Receipt, acceptance."""
