"""Jobs: work written in a transaction, performed at least once by any worker."""
