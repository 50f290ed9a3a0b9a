#!/bin/sh
# The guide's cURL call, then what its token opens: post, list; revoke it, and see it refused.
set -eu

: "${WHOP_BASE_URL:?}" "${WHOP_API_KEY:?}" "${WHOP_COMPANY_ID:?}" "${WHOP_USER_ID:?}" "${WHOP_CHANNEL_ID:?}"

minted=$(curl -sS --fail-with-body -X POST "$WHOP_BASE_URL/access_tokens" \
  -H "Authorization: Bearer $WHOP_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "company_id": "'"$WHOP_COMPANY_ID"'",
    "user_id": "'"$WHOP_USER_ID"'",
    "scoped_actions": [
      "chat:message:create",
      "chat:read",
      "dms:read",
      "dms:message:manage",
      "dms:channel:manage",
      "support_chat:read",
      "support_chat:message:create"
    ]
  }')
token=$(printf '%s' "$minted" | sed 's/.*"token" *: *"\([^"]*\)".*/\1/')

echo "posted:"
curl -sS --fail-with-body -X POST "$WHOP_BASE_URL/messages" \
  -H "Authorization: Bearer $token" \
  -H "Content-Type: application/json" \
  -d '{"channel_id": "'"$WHOP_CHANNEL_ID"'", "content": "Hello from cURL"}'

echo
echo "listed:"
curl -sS --fail-with-body "$WHOP_BASE_URL/messages?channel_id=$WHOP_CHANNEL_ID&first=5" \
  -H "Authorization: Bearer $token"

echo
echo "revoked:"
curl -sS --fail-with-body -X POST "$WHOP_BASE_URL/access_tokens/revoke" \
  -H "Authorization: Bearer $WHOP_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"token": "'"$token"'"}'

echo
deadline=$(($(date +%s) + 1))
status=
while [ "$status" != 401 ]; do
  if [ "$(date +%s)" -gt "$deadline" ]; then
    echo "the token still worked a second after it was revoked" >&2
    exit 1
  fi
  status=$(curl -sS -o /dev/null -w '%{http_code}' \
    "$WHOP_BASE_URL/messages?channel_id=$WHOP_CHANNEL_ID&first=1" \
    -H "Authorization: Bearer $token")
done
echo "refused with $status"
