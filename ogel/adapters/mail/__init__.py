"""What mail is sent by: Resend, an SMTP server, or files for those who only look."""
