"""What the API reference prints, as it prints it."""

CREATE = """{
  "name": "Main stage room",
  "user_id": "USER_ID",
  "mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
  "max_participants": 50,
  "allow_webinar_mode": true,
  "allow_chat": true,
  "allow_share_screen": true,
  "record": false,
  "record_mode": "ROOM_COMPOSITE_GRID",
  "active": true
}"""
"""The reference's create body."""

ANSWER = """{
"_id": "69f013c1aa11bb22cc33dd44",
"id": "69f013c1aa11bb22cc33dd44",
"name": "Main stage room",
"user_id": "69360341db559495f643de6a",
"mediaType": "MEDIA_TYPE_VIDEO_AUDIO",
"allow_webinar_mode": true,
"allow_chat": true,
"allow_share_screen": true,
"record": false,
"record_mode": "ROOM_COMPOSITE_GRID",
"max_participants": 50,
"sid": "RM_x7h6k4example",
"active": true,
"created": "2026-03-24T16:00:00.000Z",
"modified": "2026-03-24T16:00:00.000Z",
"success": true
}"""
"""The reference's answer to create."""
