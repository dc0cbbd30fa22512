"""Ogel on Railway: `railway config plan --file railway/railway.py`, then `apply`; README.md here says more.

The Railway CLI runs this with any python3, calls `main()` and reads the graph it returns. So this file
imports nothing that does not come with Python, and prints nothing.
"""

import os
from typing import Any

# A named file changes and deletes only what it declares: databases and other services are left alone.
PARTIAL = "ogel"

# The names of the database services in the same project.
POSTGRES = os.environ.get("OGEL_RAILWAY_POSTGRES", "Postgres")
REDIS = os.environ.get("OGEL_RAILWAY_REDIS", "Redis")

# Shared variables of the environment. The first two are made before the first `apply`; of the others those you need:
# what is not made is empty, and Ogel takes that for not set. They are all settings without a default, and what belongs
# to those. `apply` deletes every variable of these services that it does not find here: add further settings to this
# list, or to `variables`.
SHARED_VARIABLES = (
    "OGEL_ADMIN_KEY",
    "OGEL_SECRET",
    "OGEL_SECRET_OLD",
    "LOG_LEVEL",
    "OGEL_LOG",
    "SENTRY_DSN",
    "MONGO_URL",
    # Which pages may ask, and from where operators may.
    "OGEL_CORS_ORIGINS",
    "OGEL_ADMIN_ALLOW_NETS",
    "OGEL_UPSTREAMS",
    # Where webhooks may go, and through what.
    "OGEL_EGRESS_PROXY",
    "OGEL_WEBHOOK_ALLOW_NETS",
    # Accounts.
    "OGEL_APP_NAME",
    "OGEL_AUTH_AUTOCONFIRM",
    "OGEL_AUTH_GITHUB_CLIENT_ID",
    "OGEL_AUTH_GITHUB_SECRET",
    "OGEL_AUTH_GOOGLE_CLIENT_ID",
    "OGEL_AUTH_GOOGLE_SECRET",
    "OGEL_AUTH_LEGACY_JWT_SECRET",
    "OGEL_AUTH_OIDC",
    "OGEL_AUTH_PASSWORD_CHARACTERS",
    "OGEL_AUTH_URL",
    "OGEL_SITE_URL",
    "OGEL_CAPTCHA",
    "OGEL_CAPTCHA_SECRET",
    "OGEL_CAPTCHA_URL",
    "OGEL_REDIRECT_URLS",
    # Mail.
    "OGEL_MAIL_FROM",
    "OGEL_MAIL_HELO",
    "OGEL_MAIL_PROVIDERS",
    "OGEL_MAIL_TEMPLATES",
    "RESEND_API_KEY",
    "SMTP_URL",
    # Texts and push.
    "OGEL_SMS_PROVIDERS",
    "TWILIO_ACCOUNT_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_FROM",
    "VONAGE_API_KEY",
    "VONAGE_API_SECRET",
    "VONAGE_FROM",
    "OGEL_FCM_SERVICE_ACCOUNT",
    "OGEL_VAPID_PRIVATE_KEY",
    "OGEL_VAPID_SUBJECT",
    # Objects and backups, and the bucket they need here.
    "OGEL_BACKUP_KEEP",
    "STORAGE_BACKEND",
    "S3_ACCESS_KEY",
    "S3_BUCKET",
    "S3_ENDPOINT",
    "S3_PUBLIC_ENDPOINT",
    "S3_REGION",
    "S3_SECRET_KEY",
    "S3_URL_STYLE",
    # What scans objects.
    "OGEL_CLAMAV",
    "OGEL_S3_HOST",
    "OGEL_SCHEDULES",
    # What it may cost.
    "OGEL_COST_BUDGET",
    "OGEL_COST_PLAN",
    "OGEL_COST_PRICES",
    # Railway's own API, for what it costs and how deployments went: one of them.
    "RAILWAY_API_TOKEN",
    "RAILWAY_TOKEN",
)

# What a bucket of this project says of itself, by the settings that want to know.
BUCKET_VARIABLES = {
    "S3_BUCKET": "BUCKET",
    "S3_ACCESS_KEY": "ACCESS_KEY_ID",
    "S3_SECRET_KEY": "SECRET_ACCESS_KEY",
    "S3_ENDPOINT": "ENDPOINT",
    "S3_REGION": "REGION",
}
BUCKET_REGIONS = ("iad", "sjc", "ams", "sin")

# Paths that `api` hands on while a service of a suite before it still has them: README.md, "From Supabase's services".
KEPT = {
    "rest": ("/rest/v1", 3000, "auth=open"),
    "functions": ("/functions/v1", 9000, "auth=open"),
    "graphql": ("/graphql/v1", 3000, "auth=open"),
    "studio": ("/studio", 3000, "auth=admin"),
}

PORT = 8080
DRAIN_SECONDS = 30

# Every name is a file in entrypoints/.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "one": ("api",),
    "worker": ("api", "worker", "scheduler", "realtime"),
    "queues": (
        "api",
        "worker-webhooks",
        "worker-messaging",
        "worker-audit",
        "worker-realtime",
        "worker-cleanup",
        "worker-databases",
        "worker-stats",
        "worker-backups",
        "worker-mail",
        "scheduler",
        "realtime",
    ),
}


def main() -> dict[str, Any]:
    layout = os.environ.get("OGEL_RAILWAY_LAYOUT", "one")
    if layout not in LAYOUTS:
        raise SystemExit(f"OGEL_RAILWAY_LAYOUT is {layout!r}; it takes one of: {', '.join(LAYOUTS)}.")
    return {"name": "ogel", "resources": [*(service(name, layout) for name in LAYOUTS[layout]), *buckets()]}


def service(name: str, layout: str) -> dict[str, Any]:
    return {
        "address": f"service.{name}",
        "type": "service",
        "name": name,
        **source(),
        "deploy": deploy(name, layout),
        "variables": variables(),
    }


def source() -> dict[str, Any]:
    """Where the image comes from: built elsewhere, built by Railway on a push, or sent by `railway up`."""
    image = os.environ.get("OGEL_RAILWAY_IMAGE")
    repository = os.environ.get("OGEL_RAILWAY_REPO")
    if image and repository:
        raise SystemExit("Set OGEL_RAILWAY_IMAGE or OGEL_RAILWAY_REPO, not both.")
    if image:
        return {"kind": "docker-image", "source": {"type": "image", "image": image}}
    build = {"builder": "DOCKERFILE", "dockerfilePath": "Dockerfile"}
    if repository:
        branch = os.environ.get("OGEL_RAILWAY_BRANCH", "main")
        return {
            "kind": "github",
            "source": {"type": "github", "repo": repository, "branch": branch},
            "build": build,
        }
    return {"kind": "empty", "build": build}


def buckets() -> list[dict[str, Any]]:
    """The one that OGEL_RAILWAY_BUCKET names, if it does. A bucket's region is for good."""
    name = os.environ.get("OGEL_RAILWAY_BUCKET")
    if not name:
        return []
    region = os.environ.get("OGEL_RAILWAY_REGION", BUCKET_REGIONS[0])
    if region not in BUCKET_REGIONS:
        raise SystemExit(f"OGEL_RAILWAY_REGION is {region!r}; it takes one of: {', '.join(BUCKET_REGIONS)}.")
    return [{"address": f"bucket.{name}", "type": "bucket", "name": name, "config": {"region": region}}]


def deploy(name: str, layout: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "startCommand": start_command(name, layout),
        "healthcheckPath": "/health/ready",
        "healthcheckTimeout": 120,
        "restartPolicyType": "ON_FAILURE",
        "restartPolicyMaxRetries": 10,
        # Without this Railway kills a process right after its SIGTERM.
        "drainingSeconds": DRAIN_SECONDS + 5,
    }
    if name in ("api", "realtime"):
        # The public ones: the old process still answers while the edge turns to the new one.
        settings["overlapSeconds"] = 5
    if name == "api":
        # From one service only; the others wait at their start for the schema they need.
        settings["preDeployCommand"] = ["/app/entrypoints/migrate"]
    return settings


def start_command(name: str, layout: str) -> str:
    """Replaces the image's ENTRYPOINT and runs without a shell: the process is PID 1 and hears SIGTERM."""
    if layout == "one":
        return f"/app/entrypoints/{name} --with worker,scheduler,realtime"
    return f"/app/entrypoints/{name}"


def variables() -> dict[str, Any]:
    values = {
        "DATABASE_URL": variable_of(POSTGRES, "DATABASE_URL"),
        "REDIS_URL": variable_of(REDIS, "REDIS_URL"),
        # Railway would choose one by itself, but then no other service could refer to it.
        "PORT": str(PORT),
        "OGEL_DRAIN_SECONDS": str(DRAIN_SECONDS),
    }
    return {
        **{name: literal(value) for name, value in values.items()},
        **{name: {"type": "sharedReference", "name": name} for name in SHARED_VARIABLES},
        **bucket_variables(),
        **variables_of_before(),
    }


def bucket_variables() -> dict[str, Any]:
    """In place of the shared ones, where the bucket is one of this file's."""
    return {
        name: {"type": "reference", "resource": bucket["address"], "output": output}
        for bucket in buckets()
        for name, output in BUCKET_VARIABLES.items()
    } | ({"STORAGE_BACKEND": literal("railway")} if buckets() else {})


def variables_of_before() -> dict[str, Any]:
    """
    While another suite is moved out of: OGEL_RAILWAY_AUTH names the service whose tokens are still good, and
    OGEL_RAILWAY_KEEP the services that still have a path, as `rest=PostgREST,studio=Supabase Studio`.
    """
    found = {}
    if auth := os.environ.get("OGEL_RAILWAY_AUTH"):
        found["OGEL_AUTH_LEGACY_JWT_SECRET"] = literal(variable_of(auth, "GOTRUE_JWT_SECRET"))
    kept = [entry.strip() for entry in os.environ.get("OGEL_RAILWAY_KEEP", "").split(",") if entry.strip()]
    if kept:
        found["OGEL_UPSTREAMS"] = literal(",".join(upstream(entry) for entry in kept))
    return found


def upstream(entry: str) -> str:
    what, _, name = entry.partition("=")
    if what not in KEPT or not name:
        raise SystemExit(f"OGEL_RAILWAY_KEEP has {entry!r}; it takes NAME=SERVICE, of {', '.join(KEPT)}.")
    path, port, options = KEPT[what]
    return f"{path}=http://{variable_of(name, 'RAILWAY_PRIVATE_DOMAIN')}:{port};{options}"


def literal(value: str) -> dict[str, str]:
    return {"type": "literal", "value": value}


def variable_of(other: str, name: str) -> str:
    """Written out, because a `reference` node resolves only to services this file declares."""
    return "${{" + f"{other}.{name}" + "}}"
