"""Who changed what, when and from where: one record for every change, committed with it."""
