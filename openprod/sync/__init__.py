"""Native peers. Filled in below as the parts come."""
