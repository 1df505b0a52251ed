// A receiver of webhooks:
//   npm install standardwebhooks@1.1.1 tweetnacl@1.0.3
//   WEBHOOK_SECRET=whsec_… PORT=3000 node receiver.js
import http from "node:http";
import nacl from "tweetnacl";
import { Webhook } from "standardwebhooks";

const secret = process.env.WEBHOOK_SECRET;

// Gives the event, or throws. `body` is the text as it came: parsed and written again it would be
// another text, and its signature would not fit.
function verify(body, headers) {
  return secret.startsWith("whpk_")
    ? verifyEd25519(body, headers)
    : new Webhook(secret).verify(body, headers);
}

// The library knows HMAC (`v1`) only; Ed25519 (`v1a`) is checked with another.
function verifyEd25519(body, headers) {
  const id = headers["webhook-id"];
  const timestamp = headers["webhook-timestamp"];
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= 300)) throw new Error("not of now");
  const key = Buffer.from(secret.slice("whpk_".length), "base64");
  const signed = Buffer.from(`${id}.${timestamp}.${body}`);
  // During a rotation there are several: one that fits is enough.
  const fits = headers["webhook-signature"]
    .split(" ")
    .filter((signature) => signature.startsWith("v1a,"))
    .map((signature) => Buffer.from(signature.slice("v1a,".length), "base64"))
    .some((bytes) => bytes.length === 64 && nacl.sign.detached.verify(signed, bytes, key));
  if (!fits) throw new Error("no signature fits");
  return JSON.parse(body);
}

const server = http.createServer(async (request, response) => {
  try {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const event = verify(Buffer.concat(chunks).toString(), request.headers);
    // An event may come twice: keep `event.id` (it is `webhook-id`), and skip those you know.
    console.log(`204 ${event.id} ${event.type}`);
    response.writeHead(204).end();
  } catch (error) {
    console.log(`400 ${error.message}`);
    response.writeHead(400).end();
  }
});

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
