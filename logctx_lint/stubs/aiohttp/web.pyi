from typing import Any, TypeVar

from aiohttp.web_app import Application as Application
from aiohttp.web_exceptions import HTTPBadGateway as HTTPBadGateway
from aiohttp.web_exceptions import HTTPBadRequest as HTTPBadRequest
from aiohttp.web_exceptions import HTTPClientError as HTTPClientError
from aiohttp.web_exceptions import HTTPConflict as HTTPConflict
from aiohttp.web_exceptions import HTTPCreated as HTTPCreated
from aiohttp.web_exceptions import HTTPError as HTTPError
from aiohttp.web_exceptions import HTTPException as HTTPException
from aiohttp.web_exceptions import HTTPForbidden as HTTPForbidden
from aiohttp.web_exceptions import HTTPFound as HTTPFound
from aiohttp.web_exceptions import HTTPGatewayTimeout as HTTPGatewayTimeout
from aiohttp.web_exceptions import HTTPInternalServerError as HTTPInternalServerError
from aiohttp.web_exceptions import HTTPMethodNotAllowed as HTTPMethodNotAllowed
from aiohttp.web_exceptions import HTTPNoContent as HTTPNoContent
from aiohttp.web_exceptions import HTTPNotFound as HTTPNotFound
from aiohttp.web_exceptions import HTTPOk as HTTPOk
from aiohttp.web_exceptions import HTTPRedirection as HTTPRedirection
from aiohttp.web_exceptions import HTTPSeeOther as HTTPSeeOther
from aiohttp.web_exceptions import HTTPServerError as HTTPServerError
from aiohttp.web_exceptions import HTTPServiceUnavailable as HTTPServiceUnavailable
from aiohttp.web_exceptions import HTTPSuccessful as HTTPSuccessful
from aiohttp.web_exceptions import HTTPTemporaryRedirect as HTTPTemporaryRedirect
from aiohttp.web_exceptions import HTTPTooManyRequests as HTTPTooManyRequests
from aiohttp.web_exceptions import HTTPUnauthorized as HTTPUnauthorized
from aiohttp.web_request import BaseRequest as BaseRequest
from aiohttp.web_request import Request as Request
from aiohttp.web_response import Response as Response
from aiohttp.web_response import StreamResponse as StreamResponse
from aiohttp.web_response import json_response as json_response
from aiohttp.web_routedef import RouteTableDef as RouteTableDef
from aiohttp.web_routedef import delete as delete
from aiohttp.web_routedef import get as get
from aiohttp.web_routedef import head as head
from aiohttp.web_routedef import patch as patch
from aiohttp.web_routedef import post as post
from aiohttp.web_routedef import put as put
from aiohttp.web_routedef import route as route
from aiohttp.web_routedef import static as static
from aiohttp.web_routedef import view as view
from aiohttp.web_runner import AppRunner as AppRunner
from aiohttp.web_runner import BaseRunner as BaseRunner
from aiohttp.web_runner import BaseSite as BaseSite
from aiohttp.web_runner import ServerRunner as ServerRunner
from aiohttp.web_runner import SockSite as SockSite
from aiohttp.web_runner import TCPSite as TCPSite
from aiohttp.web_runner import UnixSite as UnixSite
from aiohttp.web_urldispatcher import UrlDispatcher as UrlDispatcher
from aiohttp.web_ws import WebSocketResponse as WebSocketResponse

F = TypeVar("F")

def run_app(app: Any, **kwargs: Any) -> None: ...
def middleware(f: F) -> F: ...
