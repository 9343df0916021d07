// Sends a webhook as a LiveKit server does.
import { createHash } from "node:crypto";
import { AccessToken, WebhookEvent } from "livekit-server-sdk";
import { question, answer } from "./question.mjs";

const { key, secret, url, event, altered, times } = question;
const signed = WebhookEvent.fromJson(event).toJsonString();
const token = new AccessToken(key, secret, { ttl: "5m" });
token.sha256 = createHash("sha256").update(signed).digest("base64");
const authorization = await token.toJwt();
const headers = { authorization, "content-type": "application/webhook+json" };
const body = altered ? signed.replace('"event"', '"Event"') : signed;

const statuses = [];
for (let time = 0; time < times; time += 1) {
  const { status } = await fetch(url, { method: "POST", headers, body });
  statuses.push(status);
}
answer({ statuses });
