sha=$(git rev-parse HEAD)
deploy=$(mktemp)
git log -1 --format=format:%B |
  jq -n --arg sha "$sha" --arg branch "$(git branch --show-current)" --arg who "$(id -un)" --rawfile message /dev/stdin '{
    commit_sha: $sha, commit_message: $message, branch: $branch,
    deployed_by: $who, environment: env.BLAMETRAIL_ENVIRONMENT
  }' > "$deploy"
printenv BLAMETRAIL_TOKEN | sed 's/^/X-Deploy-Token: /' |
  curl -fsS -m 10 --retry 3 --retry-max-time 60 --retry-connrefused -w '\n' \
    -H @- -H "Content-Type: application/json" -H "X-Idempotency-Key: $sha-${BLAMETRAIL_ENVIRONMENT:-}-$(date +%s)" \
    --data-binary @"$deploy" "__BLAMETRAIL_URL__/api/ingest/deploy" ||
  echo "BlameTrail was not told of this deploy"
rm -f "$deploy"
