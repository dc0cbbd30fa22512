"""The dialect of Supabase Auth (GoTrue) under /auth/v1: its shapes, its errors, its routes."""
