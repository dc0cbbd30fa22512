"""Who carries messages: SMS by Twilio and Vonage, push by FCM and Web Push."""
