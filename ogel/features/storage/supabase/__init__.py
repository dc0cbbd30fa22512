"""Storage as clients of Supabase Storage ask for it: a file for each kind of routes."""
