#!/bin/sh
# Deploys an image, asks the deployment whether it works, and goes back to what ran before when it does not:
#
#   railway/deploy.sh IMAGE COMMIT
#
# RAILWAY_TOKEN is the token of one environment, OGEL_URL the public address of its API and OGEL_KEY a key for it.
# OGEL says how `ogel` is called, OGEL_RAILWAY_SMOKE what `ogel smoke` is told besides, and OGEL_RAILWAY_WAIT how many
# seconds a start may take. Exit 0: it runs, and works. 1: it does not, and what ran before runs again and works.
# 2: nobody knows what runs, or it does not work: look at it now.
set -u

if [ $# -ne 2 ] || [ -z "${OGEL_URL:-}" ]; then
  echo "say railway/deploy.sh IMAGE COMMIT, and set OGEL_URL, OGEL_KEY and RAILWAY_TOKEN" >&2
  exit 2
fi
image=$1
commit=$2
before=$(mktemp) || exit 2
trap 'rm -f "$before"' EXIT

# Unquoted: several words.
ogel() { ${OGEL:-ogel} "$@"; }
smoke() { ogel smoke "$OGEL_URL" --wait "${OGEL_RAILWAY_WAIT:-180}" ${OGEL_RAILWAY_SMOKE:-} "$@"; }

ogel release status --json > "$before" || exit 2

if ogel release deploy --yes --image "$image" && smoke --commit "$commit"; then
  exit 0
fi

echo "$image does not work; going back to what ran before" >&2
ogel release rollback --yes --as-in - < "$before" || exit 2
smoke || exit 2
exit 1
