"""Sites that clients of Supabase Auth have names for, whether or not people may sign in with them here."""

from __future__ import annotations

from collections.abc import Mapping

# In GoTrue's order.
KNOWN = (
    *("apple", "azure", "bitbucket", "discord", "facebook", "snapchat", "figma", "fly", "github", "gitlab"),
    *("google", "keycloak", "kakao", "linkedin", "linkedin_oidc", "notion", "spotify", "slack", "slack_oidc"),
    *("workos", "twitch", "twitter", "zoom"),
)
# Who issues their ID tokens, where that is the same for everybody.
ISSUERS: Mapping[str, str] = {
    "apple": "https://appleid.apple.com",
    "azure": "https://login.microsoftonline.com/common/v2.0",
    "facebook": "https://www.facebook.com",
    "google": "https://accounts.google.com",
    "kakao": "https://kauth.kakao.com",
}
