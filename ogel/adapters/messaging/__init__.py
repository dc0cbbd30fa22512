"""Providers of messages: SMS by Twilio and Vonage, push by FCM and Web Push."""
