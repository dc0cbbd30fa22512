#!/bin/sh
# Builds the image of the commit that is checked out, pushes it, and prints the name by which it is what it is for good:
#
#   railway/image.sh ghcr.io/you/ogel COMMIT
set -eu

committed_at=$(git show -s --format=%cI "$2" || true)
docker build --build-arg OGEL_COMMIT="$2" --build-arg OGEL_COMMITTED_AT="$committed_at" --tag "$1:$2" . >&2
docker push "$1:$2" >&2
docker inspect --format '{{index .RepoDigests 0}}' "$1:$2"
