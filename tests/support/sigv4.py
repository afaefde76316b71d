"""The signature that a request of S3's has when it is signed with a secret (AWS Signature Version 4).

sigv4.py SECRET <REQUEST: standard input has the request as JSON (method, path, headers as pairs); printed is its
signature by SECRET. Only what Python brings along is used, so that it is apart from the signers under test.
"""

import hashlib
import hmac
import json
import re
import sys

request = json.load(sys.stdin)
headers = {name.lower(): value.strip() for name, value in request["headers"]}
scope, signed = re.search(r"Credential=[^/]+/([^,]+),\s*SignedHeaders=([^,]+)", headers["authorization"]).groups()
path, _, query = request["path"].partition("?")
query = "&".join(sorted(part if "=" in part else part + "=" for part in query.split("&") if part))
canonical = [request["method"], path, query]
canonical += [f"{name}:{' '.join(headers[name].split())}" for name in signed.split(";")]
canonical += ["", signed, headers["x-amz-content-sha256"]]
digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, digest])
key = ("AWS4" + sys.argv[1]).encode()
for part in scope.split("/"):
    key = hmac.digest(key, part.encode(), "sha256")
print(hmac.digest(key, text.encode(), "sha256").hex())
