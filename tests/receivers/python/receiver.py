# A receiver of webhooks:
#   pip install standardwebhooks==1.1.0 PyNaCl==1.6.2
#   WEBHOOK_SECRET=whsec_… PORT=3000 python3 receiver.py
import base64
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from standardwebhooks.webhooks import Webhook

SECRET = os.environ["WEBHOOK_SECRET"]


def verify(body, headers):
    """Gives the event, or raises. `body` is the bytes as they came."""
    if SECRET.startswith("whpk_"):
        return verify_ed25519(body, headers)
    return Webhook(SECRET).verify(body, headers)


def verify_ed25519(body, headers):
    """The library knows HMAC (`v1`) only; Ed25519 (`v1a`) is checked with another."""
    timestamp = headers["webhook-timestamp"]
    if not abs(time.time() - int(timestamp)) <= 300:
        raise ValueError("not of now")
    key = VerifyKey(base64.b64decode(SECRET.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{timestamp}.".encode() + body
    # During a rotation there are several: one that fits is enough.
    for signature in headers["webhook-signature"].split(" "):
        version, _, encoded = signature.partition(",")
        try:
            if version == "v1a" and key.verify(signed, base64.b64decode(encoded)):
                return json.loads(body)
        except BadSignatureError:
            continue
    raise ValueError("no signature fits")


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            event = verify(body, headers)
        except Exception as error:
            status, said = 400, str(error)
        else:
            # An event may come twice: keep `event["id"]` (it is `webhook-id`), skip those you know.
            status, said = 204, f"{event['id']} {event['type']}"
        print(status, said, flush=True)
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        """Nothing: what came of each message is printed above."""


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 3000))), Receiver)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
