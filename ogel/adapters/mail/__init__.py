"""Mail is sent by Resend or an SMTP server, or written to files for development."""
