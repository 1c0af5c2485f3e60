# Turns the text on standard input into a JSON string.
json() {
  LC_ALL=C awk '
    BEGIN {
      for (i = 1; i < 32; i++) escaped[sprintf("%c", i)] = sprintf("\\u%04x", i)
      escaped["\""] = "\\\""
      escaped["\\"] = "\\\\"
      printf "\""
    }
    NR > 1 { printf "%s", "\\n" }
    {
      n = length($0)
      for (i = 1; i <= n; i++) {
        c = substr($0, i, 1)
        printf "%s", ((c in escaped) ? escaped[c] : c)
      }
    }
    END { printf "\"" }'
}
sha=$(git rev-parse HEAD)
deploy=$(mktemp)
printf '{"commit_sha": "%s", "commit_message": %s, "branch": %s, "deployed_by": %s, "environment": %s}' "$sha" \
  "$(git log -1 --format=%B | json)" "$(git branch --show-current | json)" "$(id -un | json)" \
  "$(printf %s "${BLAMETRAIL_ENVIRONMENT:-}" | json)" > "$deploy"
printenv BLAMETRAIL_TOKEN | sed 's/^/X-Deploy-Token: /' |
  curl -fsS -m 10 --retry 3 --retry-max-time 60 --retry-connrefused -w '\n' \
    -H @- -H "Content-Type: application/json" -H "X-Idempotency-Key: $sha-${BLAMETRAIL_ENVIRONMENT:-}-$(date +%s)" \
    --data-binary @"$deploy" "__BLAMETRAIL_URL__/api/ingest/deploy" ||
  echo "BlameTrail was not told of this deploy"
rm -f "$deploy"
