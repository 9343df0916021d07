import { TokenVerifier } from "livekit-server-sdk";
import { question, answer } from "./question.mjs";

try {
  const verifier = new TokenVerifier(question.key, question.secret);
  answer({ claims: await verifier.verify(question.token) });
} catch (error) {
  answer({ error: error.message });
}
