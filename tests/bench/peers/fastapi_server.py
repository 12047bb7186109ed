# mypy: ignore-errors
"""The same token server in FastAPI, on uvicorn with uvloop and httptools, one worker, no access log."""

import os
import sys

import uvicorn
from fastapi import FastAPI
from livekit import api
from pydantic import BaseModel

app = FastAPI()


class JoinRequest(BaseModel):
    room_id: str
    LKRoomName: str
    participant_id: str
    participant_name: str | None = None
    hidden: bool = False


@app.post("/token")
async def token(wish: JoinRequest) -> dict[str, str | bool]:
    token = (
        api.AccessToken(os.getenv("LIVEKIT_API_KEY"), os.getenv("LIVEKIT_API_SECRET"))
        .with_identity(wish.participant_id)
        .with_name(wish.participant_name or "")
        .with_grants(api.VideoGrants(room_join=True, room=wish.LKRoomName))
    )
    return {"participant_token": token.to_jwt(), "LKRoomName": wish.LKRoomName, "success": True}


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", access_log=False)
