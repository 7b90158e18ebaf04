"""The doors for people: cli and portal. Import everything; nothing imports them."""
