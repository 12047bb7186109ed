# mypy: ignore-errors
"""The token server of LiveKit's documentation: Flask, run as it says there (`python server.py`)."""

import os
import sys

from flask import Flask, request
from livekit import api

app = Flask(__name__)


@app.route("/token", methods=["POST"])
def token() -> dict[str, str | bool]:
    body = request.get_json()
    token = (
        api.AccessToken(os.getenv("LIVEKIT_API_KEY"), os.getenv("LIVEKIT_API_SECRET"))
        .with_identity(body["participant_id"])
        .with_name(body["participant_name"])
        .with_grants(api.VideoGrants(room_join=True, room=body["LKRoomName"]))
    )
    return {"participant_token": token.to_jwt(), "LKRoomName": body["LKRoomName"], "success": True}


if __name__ == "__main__":
    app.run(port=int(sys.argv[1]))
