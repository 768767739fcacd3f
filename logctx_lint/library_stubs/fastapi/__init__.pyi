from fastapi.datastructures import UploadFile as UploadFile
from starlette.requests import Request as Request
from starlette.websockets import WebSocket as WebSocket
from starlette.websockets import WebSocketDisconnect as WebSocketDisconnect
