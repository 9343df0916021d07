import { AccessToken } from "livekit-server-sdk";
import { question, answer } from "./question.mjs";

const { key, secret, identity, name, ttl, metadata, attributes, video } = question;
const token = new AccessToken(key, secret, { identity, name, ttl, metadata, attributes });
if (video) {
  token.addGrant(video);
}
answer({ token: await token.toJwt() });
