"""Mint a chat token for a user with the API key, then post and list with it."""

import os

from whop_sdk import Whop

server = Whop()  # WHOP_API_KEY and WHOP_BASE_URL

token = server.access_tokens.create(
    company_id=os.environ["WHOP_COMPANY_ID"],
    user_id=os.environ["WHOP_USER_ID"],
    scoped_actions=[
        "chat:message:create",
        "chat:read",
        "dms:read",
        "dms:message:manage",
        "dms:channel:manage",
        "support_chat:read",
        "support_chat:message:create",
    ],
).token

chat = Whop(api_key=token)
channel_id = os.environ["WHOP_CHANNEL_ID"]

sent = chat.messages.create(channel_id=channel_id, content="Hello from Python")
print(f"posted {sent.id}")

for message in chat.messages.list(channel_id=channel_id):
    print(f"{message.user.username}: {message.content}")
