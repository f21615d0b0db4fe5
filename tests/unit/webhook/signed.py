#!/usr/bin/python3
"""Writes signed.h: requests in the shape in which services send them, signed by OpenSSL's command.

    /usr/bin/python3 signed.py > signed.h
"""
import base64
import json
import subprocess

AT = 1700000000
GITHUB = "It's a Secret to Everybody"
STANDARD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GITLAB = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
PLAIN = "correct horse battery staple"
STRIPE = "whsec_test_0123456789abcdef0123456789abcdef"
BINARY = bytes(range(200, 232))


def sign(key, content, algorithm="sha256"):
    if isinstance(key, str):
        key = key.encode()
    if isinstance(content, str):
        content = content.encode()
    command = ["openssl", "dgst", f"-{algorithm}", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


def b64(data):
    return base64.b64encode(data).decode()


def standard(name, kind, secret, message_id, body, prefix="webhook"):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = "v1," + b64(sign(key, f"{message_id}.{AT}.{body}"))
    headers = [("Content-Type", "application/json"), (f"{prefix}-id", message_id), (f"{prefix}-timestamp", str(AT)),
               (f"{prefix}-signature", signature)]
    return name, kind, secret, "", headers, signature[3:], body


def of_body(name, kind, secret, header, body, prefix="", options="", extra=()):
    signature = sign(secret, body).hex()
    return name, kind, secret, options, [*extra, (header, prefix + signature)], signature, body


def rows():
    push = '{"ref":"refs/heads/main","commits":[{"id":"6113728f","message":"Gr\u00fc\u00dfe"}]}'
    alert = '{"receiver":"ops","status":"firing","alerts":[],"orgId":1,"version":"1"}\n'
    yield standard("standard webhooks", "standard-webhooks", STANDARD, "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", '{"test": 2432232314}')
    yield standard("svix", "standard-webhooks", STANDARD, "msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}', "svix")
    yield standard("gitlab, signed", "gitlab", GITLAB, "f5f0a8b0-2c2e-4b9e-9f43-1f2d1f6e3a11", push)
    yield of_body("github", "github", GITHUB, "X-Hub-Signature-256", push, "sha256=",
                  extra=[("X-GitHub-Event", "push"), ("X-Hub-Signature", "sha1=" + "0" * 40)])
    yield of_body("gitea", "gitea", PLAIN, "X-Gitea-Signature", push, extra=[("X-Gitea-Event", "push"), ("X-GitHub-Event", "push")])
    yield of_body("forgejo", "gitea", PLAIN, "X-Forgejo-Signature", push, extra=[("X-Forgejo-Event", "push")])
    yield of_body("gitea, as github", "gitea", PLAIN, "X-Hub-Signature-256", push, "sha256=", extra=[("X-Gitea-Event", "push")])
    yield of_body("grafana", "grafana", PLAIN, "X-Grafana-Alerting-Signature", alert)
    yield of_body("grafana, own header", "grafana", PLAIN, "X-Sum", alert, options=", header: X-Sum")
    signature = sign(PLAIN, f"{AT}:{alert}").hex()
    yield ("grafana, timed", "grafana", PLAIN, ", timestamp: X-Grafana-Alerting-Timestamp",
           [("X-Grafana-Alerting-Timestamp", str(AT)), ("X-Grafana-Alerting-Signature", signature)], signature, alert)
    body = '{\n  "id": "evt_1",\n  "object": "event"\n}'
    signature = sign(STRIPE, f"{AT}.{body}").hex()
    yield ("stripe", "stripe", STRIPE, "", [("Stripe-Signature", f"t={AT},v1={signature},v0={'0' * 64}")], signature, body)
    yield of_body("hmac", "hmac", PLAIN, "X-Sum", "", options=", header: X-Sum")
    yield of_body("hmac, in github's header", "hmac", PLAIN, "X-Hub-Signature-256", push, options=", header: X-Hub-Signature-256")
    signature = sign(PLAIN, f"v0:{AT}:{body}").hex()
    yield ("hmac, as slack has it", "hmac", PLAIN,
           ", header: X-Slack-Signature, timestamp: X-Slack-Request-Timestamp, prefix: v0=, content: 'v0:{timestamp}:{body}'",
           [("X-Slack-Request-Timestamp", str(AT)), ("X-Slack-Signature", "v0=" + signature)], signature, body)
    signature = b64(sign(BINARY, body))
    yield ("hmac, as teams has it", "hmac", b64(BINARY),
           ", header: Authorization, prefix: 'HMAC ', encoding: base64, secret_encoding: base64",
           [("Authorization", "HMAC " + signature)], signature, body)
    signature = b64(sign(BINARY, f"/a\n7\n{body}\n", "sha512"))
    yield ("hmac, of headers", "hmac", BINARY.hex(),
           ", header: X-Sum, algorithm: sha512, encoding: base64, secret_encoding: hex, "
           'content: "{header:X-Path}\\n{header:x-count}\\n{body}\\n"',
           [("X-Path", "/a"), ("X-Count", "7"), ("X-Sum", signature)], signature, body)


def c(text):
    return json.dumps(text, ensure_ascii=False)


def main():
    print("/* Signed requests, by signed.py. */")
    print("// clang-format off")
    print("static const struct signed_row signed_rows[] = {")
    for name, kind, secret, options, headers, signature, body in rows():
        timed = "true" if str(AT) in "".join(v for _, v in headers) else "false"
        lines = "".join(f"{k}: {v}\n" for k, v in headers)
        print(f"    {{{c(name)}, {c(kind)}, {c(secret)}, {c(options)},\n     {c(lines)},\n     {c(signature)}, {c(body)}, {timed}}},")
    print("};")
    print("// clang-format on")


main()
