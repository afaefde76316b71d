"""A certificate authority for certbot (RFC 8555), which believes every challenge at once.

acme.py: prints the address of its directory on a line and serves on loopback until its standard input ends. Signatures
of requests are not checked: what certbot does with Cloudflare is under test, and not what it does with an authority.
"""

import base64
import datetime
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of the tests")])
NOW = datetime.datetime.now(datetime.timezone.utc)
ORDERS = []  # each: its names, the indexes of those that are validated, its certificate


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(subject, key, names=()):
    """A certificate of 90 days, as PEM."""
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(ISSUER).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(NOW - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(NOW + datetime.timedelta(days=90))
    if names:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(names, critical=True)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def issue(request, names):
    """The chain for the key of a signing request."""
    return sign(x509.Name([]), request.public_key(), names) + sign(ISSUER, KEY.public_key())


class Authority(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def send(self, status, body, location=None, kind="application/json"):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.send_header("replay-nonce", base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode())
        if location:
            self.send_header("location", self.url(location))
        if self.path.startswith("/challenge/"):
            authorization = self.url(self.path.replace("challenge", "authorization", 1))
            self.send_header("link", f'<{authorization}>;rel="up"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.send(200, "")

    def do_GET(self):
        names = {"newNonce": "/nonce", "newAccount": "/account", "newOrder": "/order"}
        self.send(200, {name: self.url(path) for name, path in names.items()})

    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        payload = json.loads(decode(message["payload"]) or b"null")
        match self.path.strip("/").split("/"):
            case ["account"] | ["account", "1"]:
                self.send(201, {"status": "valid"}, "/account/1")
            case ["order"]:
                names = [identifier["value"] for identifier in payload["identifiers"]]
                ORDERS.append({"names": names, "valid": set(), "certificate": None})
                self.send(201, self.order(len(ORDERS) - 1), f"/order/{len(ORDERS) - 1}")
            case ["order", order]:
                self.send(200, self.order(int(order)), f"/order/{order}")
            case ["authorization", order, name]:
                self.send(200, self.authorization(int(order), int(name)))
            case ["challenge", order, name]:
                ORDERS[int(order)]["valid"].add(int(name))
                self.send(200, self.challenge(int(order), int(name)))
            case ["finalize", order]:
                request = x509.load_der_x509_csr(decode(payload["csr"]))
                ORDERS[int(order)]["certificate"] = issue(request, ORDERS[int(order)]["names"])
                self.send(200, self.order(int(order)), f"/order/{order}")
            case ["certificate", order]:
                self.send(200, ORDERS[int(order)]["certificate"], kind="application/pem-certificate-chain")
            case _:
                self.send(404, {"type": "urn:ietf:params:acme:error:malformed", "detail": self.path})

    def order(self, at):
        order = ORDERS[at]
        names = range(len(order["names"]))
        body = {
            "status": "ready" if len(order["valid"]) == len(names) else "pending",
            "identifiers": [{"type": "dns", "value": name} for name in order["names"]],
            "authorizations": [self.url(f"/authorization/{at}/{name}") for name in names],
            "finalize": self.url(f"/finalize/{at}"),
            "expires": (NOW + datetime.timedelta(days=1)).isoformat(),
        }
        if order["certificate"]:
            body |= {"status": "valid", "certificate": self.url(f"/certificate/{at}")}
        return body

    def authorization(self, order, name):
        return {
            "status": "valid" if name in ORDERS[order]["valid"] else "pending",
            "identifier": {"type": "dns", "value": ORDERS[order]["names"][name]},
            "challenges": [self.challenge(order, name)],
            "expires": (NOW + datetime.timedelta(days=1)).isoformat(),
        }

    def challenge(self, order, name):
        return {
            "type": "dns-01",
            "status": "valid" if name in ORDERS[order]["valid"] else "pending",
            "url": self.url(f"/challenge/{order}/{name}"),
            "token": base64.urlsafe_b64encode(b"a token of the test's").rstrip(b"=").decode(),
        }


server = ThreadingHTTPServer(("127.0.0.1", 0), Authority)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"http://127.0.0.1:{server.server_port}/directory", flush=True)
sys.stdin.read()
