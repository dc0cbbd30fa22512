"""Have an event published or a job done at times you choose; see what ran by the clock, and run it now."""
